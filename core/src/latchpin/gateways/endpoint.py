"""Where MCP clients reach a gateway, if an installed plugin serves them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from latchpin.contracts import NavigationEntry

__all__ = ["mcp_endpoint"]


def mcp_endpoint(entries: Iterable[NavigationEntry], base_url: str, gateway_id: str) -> str | None:
    """The URL for MCP clients; None where no plugin serves them.

    Args:
        entries: what the plugins offer through ``latchpin_navigation``.
        base_url: this gateway's own, BASE_URL.
        gateway_id: which gateway.
    """
    path = next((entry.path for entry in entries if entry.place == "endpoint"), None)
    return None if path is None else base_url + path.replace("{gateway_id}", gateway_id)
