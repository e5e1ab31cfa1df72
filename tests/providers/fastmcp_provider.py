"""fastmcp's in-memory OAuth provider: it registers clients, and consents without asking anybody.

Not imported by the package itself: fastmcp is heavy, and only few tests want it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from latchpin_demo.loopback import bind, url_of
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions

from tests.providers.provider import Provider
from tests.servers import serve_asgi

__all__ = ["FastmcpProvider", "start_fastmcp_provider"]

SCOPE = "mcp:read"


@dataclass(frozen=True, slots=True)
class FastmcpProvider(Provider):
    """fastmcp's server; ``accounts`` shows clients and tokens."""

    accounts: InMemoryOAuthProvider


@contextlib.contextmanager
def start_fastmcp_provider() -> Iterator[FastmcpProvider]:
    """Serve fastmcp's authorization server and an MCP server with two tools on one port."""
    with bind() as listener:
        origin = url_of(listener)
        accounts = InMemoryOAuthProvider(
            base_url=origin,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            revocation_options=RevocationOptions(enabled=True),
            required_scopes=[SCOPE],
        )
        server: FastMCP[None] = FastMCP("fastmcp", auth=accounts)
        server.tool(reverse)
        server.tool(count)
        with serve_asgi(server.http_app(path="/mcp"), sock=listener):
            yield FastmcpProvider(f"{origin}/mcp", str(accounts.issuer_url), frozenset({"reverse", "count"}), accounts)


def reverse(text: str) -> str:
    """Turn a text around."""
    return text[::-1]


def count(text: str) -> int:
    """Count the letters of a text."""
    return len(text)
