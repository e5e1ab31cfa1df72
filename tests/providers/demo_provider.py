"""The servers of ``latchpin demo``, in threads of the test process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from latchpin_demo.authorization_server import AuthorizationServer
from latchpin_demo.loopback import bind, url_of
from latchpin_demo.mcp_server import PATH, build_mcp_app

from tests.providers.provider import Provider
from tests.servers import serve_asgi

__all__ = ["DemoProvider", "start_demo_provider"]

TOOLS = frozenset({"who_am_i", "search", "add"})


@dataclass(frozen=True, slots=True)
class DemoProvider(Provider):
    """The demo's two servers; ``accounts.ledger`` shows clients and tokens."""

    accounts: AuthorizationServer


@contextlib.contextmanager
def start_demo_provider(*, token_lifetime: timedelta = timedelta(hours=1)) -> Iterator[DemoProvider]:
    """Serve the demo's authorization server and MCP server, each on its own port."""
    with bind() as here, bind() as there:
        mcp_origin = url_of(there)
        accounts = AuthorizationServer(url_of(here), resources={mcp_origin + PATH}, token_lifetime=token_lifetime)
        mcp_app = build_mcp_app(mcp_origin, issuer=accounts.issuer, ledger=accounts.ledger)
        with serve_asgi(accounts.app, sock=here), serve_asgi(mcp_app, sock=there):
            yield DemoProvider(mcp_origin + PATH, accounts.issuer, TOOLS, accounts)
