"""One server's answer on its way to the caller: as it comes, in the words of the era that the caller's program has."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from latchpin_aggregator.envelopes import answer_for_modern, answer_for_sessions, dump
from latchpin_aggregator.events import Event, Events
from latchpin_aggregator.protocol import INTERNAL_ERROR, STATUSES
from latchpin_aggregator.wire import is_events

__all__ = ["AsItIs", "ForModern", "ForSessions", "Passing", "Renamed", "Words"]

_log = logging.getLogger("latchpin.aggregator")

MOST_HELD = 8_388_608
"""Of an answer that has to be read as a whole, in bytes."""
_PASSED = frozenset({b"content-type", b"cache-control", b"x-accel-buffering", b"retry-after"})
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Words(Protocol):
    """How an answer is put for a program."""

    streams: bool
    """A whole answer in JSON need not be held for it."""
    modern: bool
    """The program speaks 2026-07-28."""

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """A piece of the body, where it streams."""

    def message(self, text: str) -> tuple[str, int | None]:
        """One answer, and the code of the error that it is. Raises ValueError: it cannot be read."""


class AsItIs:
    """Both speak 2026-07-28: nothing changes."""

    streams, modern = True, True

    def piece(self, piece: bytes, *, last: bool) -> bytes:  # noqa: ARG002  the protocol's
        """The same."""
        return piece

    def message(self, text: str) -> tuple[str, int | None]:
        """The same."""
        return text, None


class Renamed:
    """Both have sessions: only the request's id is another, which nobody can guess, so that it is found as it is.

    Args:
        there: the id at the server.
        here: the caller's.
    """

    streams, modern = True, False

    def __init__(self, there: str, here: str | int) -> None:
        self._there = f'"{there}"'.encode()
        self._here = dump(here).encode()
        self._held = b""

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """With the caller's id; what may be the beginning of the other waits for the next piece."""
        text = (self._held + piece).replace(self._there, self._here)
        keep = 0 if last else _overlap(text, self._there)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def message(self, text: str) -> tuple[str, int | None]:
        """With the caller's id."""
        return text.replace(self._there.decode(), self._here.decode()), None


class ForModern:
    """The program speaks 2026-07-28, the server has sessions."""

    streams, modern = False, True

    def __init__(self, method: str, here: str | int) -> None:
        self._method = method
        self._here = here

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """Never: each message is read."""
        raise NotImplementedError

    def message(self, text: str) -> tuple[str, int | None]:
        """The answer in the program's words."""
        return answer_for_modern(text, method=self._method, id=self._here)


class ForSessions:
    """The program has sessions, the server speaks 2026-07-28."""

    streams, modern = False, False

    def __init__(self, here: str | int) -> None:
        self._here = here

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """Never: each message is read."""
        raise NotImplementedError

    def message(self, text: str) -> tuple[str, int | None]:
        """The answer in the program's words."""
        return answer_for_sessions(text, id=self._here), None


class Passing:
    """Gives an answer out.

    Args:
        send: ASGI's, the caller's.
        words: how.
        server: the server's name, for what is said where it does not answer.
        id: the caller's, of the request.
        in_session: the request was part of a session that the server may not know any more.

    Attributes:
        lost: the server does not know the session; nothing was given out.
        ended: the answer was given out to its end.
    """

    def __init__(self, send: Send, words: Words, *, server: str, id: str | int, in_session: bool) -> None:  # noqa: A002
        self._send = send
        self._words = words
        self._server = server
        self._id = id
        self._in_session = in_session
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._held: bytearray | None = None
        self._events: Events | None = None
        self.lost = False
        self.ended = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer (ASGI)."""
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        body, last = message.get("body", b""), not message.get("more_body", False)
        if self._held is not None:
            await self._hold(self._held, body, last=last)
        elif self._events is not None:
            events = self._events.feed(body, last=last)
            await self._give(b"".join(self._event(each) for each in events), last=last)
        else:
            await self._give(self._words.piece(body, last=last), last=last)

    async def give_up(self) -> None:
        """Say that the server does not know any session, however new."""
        self.lost = False
        await self._whole(self._problem({"detail": "it ends each session at once"}), _OK)

    async def _start(self, message: MutableMapping[str, Any]) -> None:
        self._status = message["status"]
        self._headers = [(name, value) for name, value in message.get("headers", ()) if name in _PASSED]
        events = is_events(self._headers)
        if self._status != _OK or not (events or self._words.streams):
            self._held = bytearray()
            return
        if events and not self._words.streams:
            self._events = Events()
        await self._send({"type": "http.response.start", "status": _OK, "headers": self._headers})

    async def _give(self, body: bytes, last: bool) -> None:
        self.ended = self.ended or last
        if body or last:
            await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def _hold(self, held: bytearray, body: bytes, *, last: bool) -> None:
        if len(held) <= MOST_HELD:
            held += body
        if not last:
            return
        text, status = self._read(bytes(held))
        if self.lost:
            return
        await self._whole(text, status)

    async def _whole(self, text: str, status: int) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._give(raw, last=True)

    def _read(self, body: bytes) -> tuple[str, int]:
        """The answer that a whole body is, and the status that it has for the caller."""
        try:
            value = json.loads(body) if len(body) <= MOST_HELD else None
        except (ValueError, RecursionError):
            value = None
        said: dict[str, Any] = value if isinstance(value, dict) else {}
        answered = said.get("jsonrpc") == "2.0" and ("result" in said or "error" in said)
        named = answered and said.get("id") is not None
        self.lost = self._in_session and (self._status == _NOT_FOUND or (self._status == _BAD_REQUEST and not named))
        if answered:
            try:
                text, code = self._words.message(body.decode() if named else dump({**said, "id": self._id}))
            except ValueError:
                return self._problem({}), _OK
            if not self._words.modern:
                return text, _OK
            return text, self._status if self._words.streams else STATUSES.get(code or 0, _OK)
        return self._problem(said), _OK

    def _problem(self, problem: Mapping[str, Any]) -> str:
        """An error of ours: the server did not answer, or not as an MCP server."""
        detail, remedy = problem.get("detail"), problem.get("remedy")
        text = detail if isinstance(detail, str) else f"it answered HTTP {self._status}, and not as an MCP server"
        text = f"{self._server}: {text.rstrip('.')}." + (f" {remedy}" if isinstance(remedy, str) else "")
        return dump({"jsonrpc": "2.0", "id": self._id, "error": {"code": INTERNAL_ERROR, "message": text}})

    def _event(self, event: Event) -> bytes:
        """An event in the program's words: its answer is put anew, what leads up to it passes."""
        if not event.data:
            return event.raw
        try:
            value = json.loads(event.data)
            if isinstance(value, dict) and "method" in value:
                return b"" if "id" in value else event.raw  # the program was not to be asked anything
            return event.with_data(self._words.message(event.data.decode())[0].encode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            _log.warning("A message of %s was dropped: it cannot be read", self._server)
            return b""


def _overlap(text: bytes, word: bytes) -> int:
    """How many bytes at the end of ``text`` may be the beginning of ``word``."""
    for length in range(min(len(word) - 1, len(text)), 0, -1):
        if text.endswith(word[:length]):
            return length
    return 0
