"""One server's answer on its way to the caller: as it comes, in the words of the era that the caller's program has."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from latchpin.sdk.mcp import INTERNAL_ERROR, STATUSES

from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.events import Event, Events
from latchpin_aggregator.wire import is_events, is_json
from latchpin_aggregator.words import Words

__all__ = ["Passing"]

_log = logging.getLogger("latchpin.aggregator")

MOST_HELD = 8_388_608
"""Of an answer, or of one event, that has to be read as a whole, in bytes."""
_PASSED = frozenset({b"content-type", b"cache-control", b"x-accel-buffering", b"retry-after"})
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404

Headers = list[tuple[bytes, bytes]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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
        begun: the answer's head was given out.
        ended: the answer was given out to its end.
    """

    def __init__(self, send: Send, words: Words, *, server: str, id: str | int, in_session: bool) -> None:  # noqa: A002
        self._send = send
        self._words = words
        self._server = server
        self._id = id
        self._in_session = in_session
        self._status = 0
        self._headers: Headers = []
        self._held: bytearray | None = None
        self._events: Events | None = None
        self._answered = False
        self.lost = False
        self.begun = False
        self.ended = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer (ASGI)."""
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        if self.ended:  # what follows an event that was too long
            return
        body, last = message.get("body", b""), not message.get("more_body", False)
        if self._held is not None:
            await self._hold(self._held, body, last=last)
        elif self._events is not None:
            events = self._events.feed(body, last=last)
            put = b"".join(self._event(each) for each in events)
            too_long = self._events.held > MOST_HELD
            last = last or too_long
            if last and not self._answered:
                detail = {"detail": "its answer is too long" if too_long else "its answer broke off"}
                put += f"event: message\ndata: {self._problem(detail)}\n\n".encode()
            await self._give(put, last=last)
        else:
            await self._give(self._words.piece(body, last=last), last=last)

    async def end(self) -> None:
        """End it as it stands: its caller does not wait for it any more."""
        if not self.begun:
            await self._begin(HTTPStatus.ACCEPTED, [])
        if not self.ended:
            await self._give(b"", last=True)

    async def give_up(self) -> None:
        """Say that the server does not know any session, however new."""
        self.lost = False
        await self._whole(self._problem({"detail": "it ends each session at once"}), _OK)

    async def _start(self, message: MutableMapping[str, Any]) -> None:
        self._status = message["status"]
        self._headers = [(name, value) for name, value in message.get("headers", ()) if name in _PASSED]
        events = is_events(self._headers)
        passes = events or (self._words.streams and is_json(self._headers))
        if self._status != _OK or not passes:
            self._held = bytearray()
            return
        if events and not self._words.streams:
            self._events = Events()
        await self._begin(_OK, self._headers)

    async def _begin(self, status: int, headers: Headers) -> None:
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

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
        await self._begin(status, headers)
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
            text = event.data.decode()
            value = json.loads(text)
            leads = isinstance(value, dict) and "method" in value
            put = self._words.lead(value, text) if leads else self._words.message(text)[0]
            self._answered = self._answered or not leads
            if put is None:
                return b""
            return event.raw if put == text else event.with_data(put.encode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            _log.warning("A message of %s was dropped: it cannot be read", self._server)
            return b""
