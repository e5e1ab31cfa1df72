"""Telling programs that lists have changed, for as long as they listen.

With sessions they listen by ``GET``, with 2026-07-28 by ``subscriptions/listen``. They are told that something changed,
and ask again for what. A stream ends by itself after a while, and when its person's sessions or its program's grant
end: who listens on has to show a token that still holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from latchpin.errors import CallerError
from latchpin.model import Caller
from latchpin.sdk.gateway import Departures
from latchpin.sdk.mcp import INVALID_PARAMS
from latchpin_mcp.message import Message, Refused

from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.kept import Kind
from latchpin_aggregator.offers import Offers
from latchpin_aggregator.wire import Asked

__all__ = ["TooManyStreams", "Watching"]

LONGEST = 600.0
"""How long one stream lasts, in seconds."""
BEAT = 15.0
"""After how many seconds without anything to tell a line shows that the connection stands."""
MOST_STREAMS = 20
"""Of one person at one worker."""

_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_TOLD: Final[Mapping[str, tuple[Kind, ...]]] = {
    "tools": ("tools",),
    "prompts": ("prompts",),
    "resources": ("resources", "resourceTemplates"),
}
"""What can have changed, with the lists in which that shows."""
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

State = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Stream:
    """One program that listens.

    Attributes:
        subjects: what it wants to be told about.
        meta: what each message to it has.
    """

    caller: Caller
    asked: Asked
    subjects: frozenset[str]
    meta: Mapping[str, Any]


class TooManyStreams(CallerError):
    """One person listens too often at once."""

    code = "too-many-streams"
    status = 429
    title = "Too many streams at once"
    public = "Too many of your programs listen here at once."
    remedy = "Close some of them."


class Watching:
    """Watches lists on behalf of programs.

    Args:
        offers: what is watched.
        streams: how many each person has open, at all endpoints.
        departures: tells whose sessions have ended.
        seconds: between two looks.
    """

    def __init__(self, offers: Offers, streams: Counter[str], departures: Departures, *, seconds: float) -> None:
        self._offers = offers
        self._open = streams
        self._departures = departures
        self._seconds = seconds

    async def serve_session(self, caller: Caller, asked: Asked) -> None:
        """Serve the stream of a program with sessions.

        Raises:
            TooManyStreams: this person has too many.
        """
        with self._counted(caller):
            await self._serve(_Stream(caller, asked, frozenset(_TOLD), {}), first=b": hello\n\n", last=b"")

    async def serve_subscription(self, message: Message, caller: Caller, asked: Asked) -> None:
        """Serve ``subscriptions/listen``.

        Raises:
            Refused: the request does not say what about.
            TooManyStreams: this person has too many.
        """
        wanted = message.param("notifications")
        if not isinstance(wanted, dict):
            raise Refused(INVALID_PARAMS, "params.notifications is no object", id=message.id)
        subjects = frozenset(subject for subject in _TOLD if wanted.get(f"{subject}ListChanged") is True)
        meta = {"_meta": {_SUBSCRIPTION: message.id}}
        granted = {f"{subject}ListChanged": True for subject in _TOLD if subject in subjects}
        first = _notification("notifications/subscriptions/acknowledged", {"notifications": granted, **meta})
        last = {"jsonrpc": "2.0", "id": message.id, "result": {"resultType": "complete", **meta}}
        with self._counted(caller):
            await self._serve(_Stream(caller, asked, subjects, meta), first=_event(first), last=_event(last))

    @contextlib.contextmanager
    def _counted(self, caller: Caller) -> Iterator[None]:
        if self._open[caller.email] >= MOST_STREAMS:
            raise TooManyStreams(f"{MOST_STREAMS} are open at this worker")
        self._open[caller.email] += 1
        try:
            yield
        finally:
            self._open[caller.email] -= 1
            if not self._open[caller.email]:
                del self._open[caller.email]

    async def _serve(self, stream: _Stream, *, first: bytes, last: bytes) -> None:
        """Serve a stream that begins with ``first``, and ends with ``last`` if it ends by itself."""
        gone = asyncio.ensure_future(_gone(stream.asked))
        caller = stream.caller
        watched = self._departures.watch(caller.email, gone.cancel, stands_on=caller.stands_on)
        try:  # watched from here on: the lists may take their time, and an end meanwhile counts
            before = await self._state(caller)
            await stream.asked.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send(stream, first)
            await self._tell(stream, gone, before)
        finally:
            self._departures.leave(watched)
            gone.cancel()
        await _send(stream, last, more=False)

    async def _tell(self, stream: _Stream, gone: asyncio.Future[None], before: State) -> None:
        """Look again and again, until the program is gone, its person is out, or time is up."""
        clock = asyncio.get_running_loop().time
        until, told_at = clock() + LONGEST, clock()
        while not gone.done() and clock() < until:
            await asyncio.wait({gone}, timeout=self._seconds)
            now = await self._state(stream.caller)
            changed = [subject for subject in sorted(stream.subjects) if now[subject] != before[subject]]
            events = [_event(_notification(f"notifications/{each}/list_changed", stream.meta)) for each in changed]
            if not events and clock() - told_at >= BEAT:
                events = [b": still here\n\n"]
            if events and not gone.done():
                await _send(stream, b"".join(events))
                told_at = clock()
            before = now

    async def _state(self, caller: Caller) -> State:
        """What the lists hold: equal to what it was before as long as nothing changed."""
        offers = await self._offers.get(caller, wait=0)
        state: dict[str, object] = {
            subject: [(gateway.id, [kept.get(kind) for kind in kinds]) for gateway, _, kept in offers]
            for subject, kinds in _TOLD.items()
        }
        state["tools"] = (state["tools"], all(kept.listed for _, _, kept in offers))
        return state


def _notification(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method} | ({"params": dict(params)} if params else {})


def _event(message: Mapping[str, Any]) -> bytes:
    return f"event: message\ndata: {dump(message)}\n\n".encode()


async def _send(stream: _Stream, body: bytes, *, more: bool = True) -> None:
    await stream.asked.send({"type": "http.response.body", "body": body, "more_body": more})


async def _gone(asked: Asked) -> None:
    message: MutableMapping[str, Any] = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await asked.receive()
