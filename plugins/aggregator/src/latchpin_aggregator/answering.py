"""What the endpoint answers by itself: who it is, and the lists of all servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from latchpin.model import Caller
from latchpin.sdk.mcp import INVALID_PARAMS, MODERN, SESSIONS
from latchpin_mcp.message import Message, Refused

from latchpin_aggregator.connecting import CONNECT, Connecting
from latchpin_aggregator.envelopes import dump, own_implementation
from latchpin_aggregator.kept import KINDS, Kind
from latchpin_aggregator.lists import Lists, Offer
from latchpin_aggregator.offers import Offers
from latchpin_aggregator.profiles import Profile

__all__ = ["LISTED", "Answering", "answer_text"]

LISTED: Final[dict[str, Kind]] = {method: kind for kind, method in KINDS.items()}
"""Which kind each of these methods lists."""

_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
_CHANGING = {"listChanged": True}
_CAPABILITIES: dict[str, Any] = {
    "tools": _CHANGING,
    "prompts": _CHANGING,
    "resources": _CHANGING,
    "completions": {},
    "logging": {},
}
_INSTRUCTIONS = (
    "The tools of several MCP servers; a name begins with its server's. Servers that wait for an authorization are not "
    f"listed: the tool {CONNECT}, where it is there, says which, and how to authorize them."
)


class Answering:
    """Answers what is asked of the endpoint itself."""

    def __init__(self, lists: Lists, offers: Offers, connecting: Connecting) -> None:
        self._lists = lists
        self._offers = offers
        self._connecting = connecting

    def initialize(self, message: Message, profile: Profile) -> str:
        """The answer to ``initialize``."""
        result = {
            "protocolVersion": profile.version,
            "capabilities": _CAPABILITIES,
            "serverInfo": own_implementation(),
            "instructions": _INSTRUCTIONS,
        }
        return answer_text(message, dump(result))

    def discover(self, message: Message) -> str:
        """The answer to ``server/discover``."""
        result = {
            "resultType": "complete",
            "supportedVersions": [MODERN, *reversed(SESSIONS)],
            "capabilities": _CAPABILITIES,
            "instructions": _INSTRUCTIONS,
            "_meta": {_SERVER_INFO: own_implementation()},
            "ttlMs": 0,
            "cacheScope": "private",
        }
        return answer_text(message, dump(result))

    async def list(self, message: Message, kind: Kind, caller: Caller) -> str:
        """One list of all servers, in one page.

        Raises:
            Refused: another page is asked for.
        """
        if message.param("cursor") is not None:
            raise Refused(INVALID_PARAMS, "no list here has a second page", id=message.id)
        offers = await self._offers.get(caller)
        texts = [kept.get(kind).text for _, _, kept in offers]
        if kind == "tools" and any(not kept.listed for _, _, kept in offers):
            texts.append(self._connecting.tool())
        body = f'{{"{kind}":[{",".join(text for text in texts if text)}]'
        if message.era == "modern":
            body += f',"resultType":"complete","ttlMs":{self._holds(offers)},"cacheScope":"private"'
        return answer_text(message, body + "}")

    def _holds(self, offers: Sequence[Offer]) -> int:
        """For how many milliseconds the whole holds: until the first part of it is renewed, but a second at least."""
        return max(1_000, min((self._lists.milliseconds_left(kept) for _, _, kept in offers), default=60_000))


def answer_text(message: Message, result: str) -> str:
    """The answer with a result, which is JSON."""
    return f'{{"jsonrpc":"2.0","id":{dump(message.id)},"result":{result}}}'
