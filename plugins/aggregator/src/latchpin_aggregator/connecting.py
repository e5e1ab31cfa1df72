"""The tool that says which servers wait for what, with the link by which the caller's person authorizes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from latchpin.contracts import McpExchanges
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import wants_key
from latchpin.sdk.mcp import CAPABILITIES
from latchpin.sdk.outbound import host_of
from latchpin_mcp.message import Message

from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.offers import Offers

__all__ = ["CONNECT", "Connecting"]

CONNECT: Final = "latchpin_connect"
MOST_ASKED = 5
"""For how many servers a person is asked at once; who asks again is asked for the others."""

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

    def __init__(self, offers: Offers, exchanges: McpExchanges) -> None:
        self._offers = offers
        self._exchanges = exchanges

    def tool(self) -> str:
        """Its definition."""
        return _DEFINITION

    async def call(self, message: Message, caller: Caller) -> dict[str, Any]:
        """Its result; a program that asks its person to open links is asked to, once."""
        offers = await self._offers.get(caller)
        links = {slug: await self._exchanges.link_for(gateway, caller) for gateway, slug, kept in offers if kept.waits}
        if links and _may_be_asked(message):
            waiting = [(gateway, slug) for gateway, slug, _ in offers if slug in links]
            return _asking({slug: (gateway, links[slug]) for gateway, slug in waiting[:MOST_ASKED]})
        lines = []
        for gateway, slug, kept in offers:
            if kept.waits:
                lines.append(f"- {gateway.name} ({slug}) waits for {_owed(gateway)}. Open in a browser: {links[slug]}")
            elif not kept.listed:
                lines.append(f"- {gateway.name} ({slug}) cannot be used now: {kept.problem}.")
        text = "\n".join(lines) if lines else "All servers are connected."
        if links:
            text += f"\nThe links work for {caller.email} alone, signed in there. List the tools again afterwards."
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": False}
        return result | ({"resultType": "complete"} if message.era == "modern" else {})


def _may_be_asked(message: Message) -> bool:
    """Whether the program opens links within a request (2026-07-28), and was not asked to for this one."""
    if message.era != "modern" or "inputResponses" in message.params:
        return False
    elicitation = message.meta[CAPABILITIES].value.get("elicitation")
    return isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict)


def _owed(gateway: Gateway) -> str:
    return "an API key" if wants_key(gateway) else "your authorization"


def _asking(places: Mapping[str, tuple[Gateway, str]]) -> dict[str, Any]:
    """An ``InputRequiredResult``: open each link, then ask again."""
    requests = {}
    for slug, (gateway, link) in places.items():
        text = f"{gateway.name} ({host_of(gateway.url)}) needs {_owed(gateway)} first."
        params = {"mode": "url", "message": text, "url": link}
        requests[slug] = {"method": "elicitation/create", "params": params}
    return {"resultType": "input_required", "inputRequests": requests}
