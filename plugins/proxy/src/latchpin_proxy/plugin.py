"""What Latchpin finds: the MCP endpoint, its place, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import McpExchanges, McpServers, NavigationEntry

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_proxy.settings import ProxySettings

__all__ = [
    "latchpin_mcp_servers",
    "latchpin_navigation",
    "latchpin_protected_resources",
    "latchpin_routes",
    "latchpin_settings",
]


@latchpin.hookimpl
def latchpin_settings() -> list[type[ProxySettings]]:
    """Name the variables of the MCP endpoint."""
    from latchpin_proxy.settings import ProxySettings  # noqa: PLC0415  loaded when asked for

    return [ProxySettings]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the MCP endpoint."""
    return ["latchpin_proxy.routes:make_router"]


@latchpin.hookimpl
def latchpin_navigation() -> list[NavigationEntry]:
    """Say where MCP clients reach a gateway, for the pages that show it."""
    from latchpin_proxy.resource import PATH  # noqa: PLC0415  loaded when asked for

    return [NavigationEntry("MCP endpoint", PATH, place="endpoint")]


@latchpin.hookimpl
def latchpin_protected_resources() -> Sequence[str]:
    """Name the endpoints, so that clients can get tokens for them."""
    return ["latchpin_proxy.resources:RESOURCES"]


@latchpin.hookimpl
def latchpin_mcp_servers() -> list[McpServers]:
    """Offer the endpoint's way to MCP servers to plugins that have endpoints of their own."""
    return [McpServers(_open_endpoint)]


async def _open_endpoint(application: Application) -> McpExchanges:
    from latchpin_proxy.endpoint import open_endpoint  # noqa: PLC0415  loads the gateway

    return await open_endpoint(application)
