"""The tool that says which servers wait for what, with the link by which the caller's person authorizes each."""

from __future__ import annotations

from typing import Any, Final

from latchpin.contracts import McpExchanges
from latchpin.model import Caller

from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.lists import Lists

__all__ = ["CONNECT", "Connecting"]

CONNECT: Final = "latchpin_connect"

_TOOL: dict[str, Any] = {
    "name": CONNECT,
    "title": "Connect servers",
    "description": (
        "Says which MCP servers are missing here, why, and by which link the person authorizes each in a browser."
    ),
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
}
_DEFINITION = dump(_TOOL)


class Connecting:
    """Offers the tool."""

    def __init__(self, lists: Lists, exchanges: McpExchanges) -> None:
        self._lists = lists
        self._exchanges = exchanges

    def tool(self) -> str:
        """Its definition."""
        return _DEFINITION

    async def call(self, caller: Caller) -> dict[str, Any]:
        """Its result."""
        lines = []
        for gateway, slug, kept in await self._lists.offers(caller):
            if kept.waits:
                link = await self._exchanges.link_for(gateway, caller)
                lines.append(f"- {gateway.name} ({slug}) waits for your authorization. Open in a browser: {link}")
            elif not kept.listed:
                lines.append(f"- {gateway.name} ({slug}) cannot be used now: {kept.problem}.")
        text = "\n".join(lines) if lines else "All servers are connected."
        if any("Open in a browser" in line for line in lines):
            text += f"\nThe links work for {caller.email} alone, signed in there. List the tools again afterwards."
        return {"content": [{"type": "text", "text": text}], "isError": False}
