"""oidc-provider and an MCP server of the official SDK that takes its tokens, as what stands behind a front door."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from latchpin_demo.loopback import bind, url_of

from tests.front_door.behind import Behind
from tests.node.conftest import RESOURCE_SERVER, SCOPE, Setup, serve_protected, start_oidc_provider
from tests.servers.programs import Node

__all__ = ["certified_behind"]


@contextlib.contextmanager
def certified_behind(node: Node, packages: Path) -> Iterator[Behind]:
    """Serve both."""
    with bind() as listener:
        resource = f"{url_of(listener)}/mcp"
        setup = Setup(clients=[RESOURCE_SERVER], scopes=(SCOPE,), resource=resource, registration=True)
        with (
            start_oidc_provider(node, packages, setup) as provider,
            serve_protected(listener, provider.issuer) as mcp_url,
        ):
            both = "Sign-in"  # the title of all its pages
            yield Behind(mcp_url, tool="whose", sign_in=both, consent=both, end_tokens=provider.end_grants)
