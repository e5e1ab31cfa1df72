"""An MCP server's answer, given to the caller as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.sdk.outbound import Answer, Failure, explain_failure, host_of

from latchpin_proxy.bindings import Kind
from latchpin_proxy.completing import Look, interleave
from latchpin_proxy.headers import Field, build_answer_headers, is_event_stream
from latchpin_proxy.inspection import Pieces, inspect
from latchpin_proxy.messages import Terms
from latchpin_proxy.relay import McpRequest
from latchpin_proxy.room import Room, Share
from latchpin_proxy.watch import Watch

__all__ = ["LAST", "Exchange"]

_log = logging.getLogger("latchpin.proxy")

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LAST = {"connection": "close"}
"""Where a body was not read to its end: else the server would go on reading, and throw it away."""
_SESSION = b"mcp-session-id"
_OK = 200


class Exchange:
    """Gives an answer to the caller.

    Args:
        send: ASGI's.
        watch: is told what moves.
        room: what all answers together may hold.

    Attributes:
        begun: whether the answer's head has been given out.
    """

    def __init__(self, send: Send, watch: Watch, room: Room) -> None:
        self._share = Share(room)
        self._send = send
        self._watch = watch
        self._headers: list[Field] = []
        self.begun = False

    async def send(self, answer: Answer, request: McpRequest, terms: Terms, *, look: Look | None = None) -> None:
        """Pass on head and body, and hold nothing any more.

        An answer that breaks off upstream breaks off here, so that nobody takes it for whole; an event stream
        just ends, which is what clients resume from.

        Args:
            answer: the server's.
            request: what it answers.
            terms: under which it comes back.
            look: gives events of our own, if the answer is an event stream.

        Raises:
            UpstreamError: it broke off, or cannot pass, before anything of it was given out.
        """
        headers = build_answer_headers(answer.raw_headers(), status=answer.status, private=terms.private)
        headers = _with_session(headers, answer.status, terms)
        try:
            try:
                self._watch.moved()
                whole = answer.at_hand()
                came = answer.pieces(self._watch.moved) if whole is None else whole
                headers, body = await inspect(headers, came, terms, self._share)
            except Failure as exc:
                raise explain_failure(exc, request.gateway.url) from exc
            if not request.inbound.whole:
                headers += [(name.encode(), value.encode()) for name, value in LAST.items()]
            if look is None or isinstance(body, bytes) or not is_event_stream(headers):
                await self._pass_on(answer.status, headers, body, request)
                return
            async with contextlib.aclosing(interleave(body, look)) as told:
                await self._pass_on(answer.status, headers, told, request)
        finally:
            self._share.hold(0)

    async def _pass_on(self, status: int, headers: list[Field], body: bytes | Pieces, request: McpRequest) -> None:
        self.begun, self._headers = True, headers
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if isinstance(body, bytes):
            self._watch.moved()
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
            return
        try:
            async for piece in body:
                self._watch.moved()
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                self._watch.moved()
        except Failure as exc:
            await self.break_off(exc.reason, request)
        else:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self, reason: str, request: McpRequest) -> None:
        """Say that the rest does not come: an event stream ends; anything else has no end, and the server hangs up."""
        _log.warning("The answer of %s broke off: %s", host_of(request.gateway.url), reason)
        if is_event_stream(self._headers):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._watch.idle):  # the caller may be what does not move
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_session(headers: list[Field], status: int, terms: Terms) -> list[Field]:
    """The header fields with the caller's name of the session; one of ours where the server has none to remember by."""
    if terms.begins and status == _OK and all(name != _SESSION for name, _ in headers):
        ours: Kind = "links without session" if terms.opens_links else "questions without session"
        return [*headers, (_SESSION, terms.binder.bind(ours, "-").encode())]
    kind = _kind_of(terms)
    return [
        (name, terms.binder.bind(kind, value.decode("latin-1")).encode() if name == _SESSION else value)
        for name, value in headers
    ]


def _kind_of(terms: Terms) -> Kind:
    if terms.opens_links:
        return "session that opens links"
    return "session that asks nothing" if terms.asks_nothing else "session"
