"""Tools as servers listed them to each caller: what a call is judged by where its name alone does not decide.

What was listed a moment ago is remembered, of those tools alone that are judged so. Of one that nobody has listed, the
server is asked in the call's own words and session; what it does not list is held back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock
from latchpin.errors import UpstreamUnreadable
from latchpin.model import Caller, Gateway
from latchpin.sdk.outbound import Answer, Failure, host_of
from latchpin.sdk.workers import Bounded
from latchpin_mcp.message import Message

from latchpin_proxy.headers import is_event_stream
from latchpin_proxy.inspection import MOST_HELD, ends_in, events_in
from latchpin_proxy.messages import read_once
from latchpin_proxy.relay import McpRequest, Relay

__all__ = ["Definitions"]

Definition = Mapping[str, Any]
_Key = tuple[str, str, str, str | None]

HOLDS = timedelta(minutes=5)
"""How long a definition is believed: a server may change it at any time."""
PAUSE = timedelta(seconds=10)
"""How long a whole list is believed where a name is missing in it: names that nobody has must not keep servers busy."""
MOST_PAGES = 50
MOST_READ = 8_388_608
"""Of all pages of one list, in bytes: they are held until the last one has come."""
MOST_TOOLS = 2_000
"""So many of what was listed to one caller are remembered; of others, the server is asked."""
ANSWER_SECONDS = 30.0
_MOST = 2_000
_ID = "latchpin-tools"
_OK = 200
_DROPPED = ("mcp-name", "accept-encoding", "last-event-id", "content-length")


@dataclass(slots=True)
class _Listed:
    """What was listed to one caller, each with when; and when the whole list was asked for here."""

    tools: dict[str, tuple[datetime, Definition]] = field(default_factory=dict)
    asked_at: datetime | None = None


class Definitions:
    """Knows tools as they were listed."""

    def __init__(self, relay: Relay, clock: Clock) -> None:
        self._relay = relay
        self._clock = clock
        self._listed: Bounded[_Key, _Listed] = Bounded(_MOST)

    def note(self, gateway: Gateway, caller: Caller, definitions: Sequence[Definition]) -> None:
        """They were just listed to the caller."""
        key, now = _key(gateway, caller), self._clock()
        listed = self._listed.get(key)
        if listed is None:
            listed = self._listed[key] = _Listed()
        listed.tools |= {str(each["name"]): (now, each) for each in definitions}
        while len(listed.tools) > MOST_TOOLS:
            del listed.tools[next(iter(listed.tools))]

    async def find(self, request: McpRequest, message: Message, name: str) -> Definition | None:
        """The tool as it is listed to who calls it; None: it is not.

        Args:
            request: the call.
            message: the same, read.
            name: the tool's.

        Raises:
            LatchpinError: the server cannot be asked.
        """
        key, now = _key(request.gateway, request.caller), self._clock()
        listed = self._listed.get(key) or _Listed()
        noted = listed.tools.get(name)
        if noted is not None and noted[0] <= now < noted[0] + HOLDS:
            return noted[1]
        if listed.asked_at is not None and listed.asked_at <= now < listed.asked_at + PAUSE:
            return None
        tools = await self._ask(request, message)
        fresh = {str(each["name"]): (now, each) for each in tools if isinstance(each.get("name"), str)}
        self._listed[key] = _Listed(fresh, now)
        return fresh[name][1] if name in fresh else None

    async def _ask(self, request: McpRequest, message: Message) -> list[Definition]:
        tools: list[Definition] = []
        cursor: str | None = None
        left = MOST_READ
        for _ in range(MOST_PAGES):
            result, size = await self._page(request, message, cursor, left)
            left -= size
            page = result.get("tools")
            tools += [each for each in page if isinstance(each, dict)] if isinstance(page, list) else []
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                break
        return tools

    async def _page(
        self, request: McpRequest, message: Message, cursor: str | None, most: int
    ) -> tuple[Mapping[str, Any], int]:
        """The result, and how many bytes were read for it; raises UpstreamUnreadable."""
        answer = await self._relay.open(_listing(request, message, cursor))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await _result(answer, most)
        except (Failure, TimeoutError, ValueError, RecursionError) as exc:
            host = host_of(request.gateway.url)
            raise UpstreamUnreadable(f"{host} does not list its tools, by which this call is judged") from exc
        finally:
            answer.close()


def _listing(request: McpRequest, message: Message, cursor: str | None) -> McpRequest:
    """The request for a page of the list, in the words and the session of a call."""
    params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
    if message.era == "modern":
        params["_meta"] = {name: part.value for name, part in message.meta.items() if name.startswith("io.model")}
    body = {"jsonrpc": "2.0", "id": _ID, "method": "tools/list", **({"params": params} if params else {})}
    headers = [
        (name, "tools/list" if name == "mcp-method" else value)
        for name, value in request.headers
        if name not in _DROPPED and not name.startswith("mcp-param-")
    ]
    headers.append(("accept-encoding", "identity"))
    return replace(request, headers=tuple(headers), body=json.dumps(body, separators=(",", ":")).encode())


async def _result(answer: Answer, most: int) -> tuple[Mapping[str, Any], int]:
    """The result in an answer of ``most`` bytes at most, and how many were read.

    Raises ValueError: it has none, one that can be read in two ways, or more than that.
    """
    if answer.status != _OK:
        raise ValueError(f"HTTP {answer.status}")
    held, size, events = bytearray(), 0, is_event_stream(answer.raw_headers())
    async for piece in answer.pieces():
        held += piece
        size += len(piece)
        if size > min(most, MOST_HELD):
            raise ValueError("too long")
        if events and (ends := ends_in(held, len(piece))):
            for data in events_in(bytes(held[: ends[-1]])):
                if (result := _read(data)) is not None:
                    return result, size
            del held[: ends[-1]]
    if (result := None if events else _read(bytes(held))) is None:
        raise ValueError("no result")
    return result, size


def _read(data: bytes) -> Mapping[str, Any] | None:
    """The result, if the message is the answer to ours."""
    text = data.decode("utf-8-sig")
    if not text.strip():
        return None
    message = json.loads(text, object_pairs_hook=read_once)
    if not isinstance(message, dict) or message.get("id") != _ID:
        return None
    result = message.get("result")
    if isinstance(result, dict):
        return result
    raise ValueError("no result")


def _key(gateway: Gateway, caller: Caller) -> _Key:
    return gateway.id, gateway.url, caller.email, caller.account
