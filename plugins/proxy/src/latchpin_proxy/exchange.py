"""An MCP server's answer, given to the caller as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.errors import UpstreamTimeout
from latchpin.sdk.outbound import Answer, Failure, explain_failure, host_of

from latchpin_proxy.bindings import Kind
from latchpin_proxy.headers import Field, build_answer_headers, is_event_stream
from latchpin_proxy.inspection import inspect
from latchpin_proxy.messages import Terms
from latchpin_proxy.relay import McpRequest
from latchpin_proxy.room import Room, Share

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
        idle: for how long neither side may do anything, in seconds.
        room: what all answers together may hold.

    Attributes:
        begun: whether the answer's head has been given out.
    """

    def __init__(self, send: Send, idle: float, room: Room) -> None:
        self._share = Share(room)
        self._send = send
        self._idle = idle
        self.begun = False

    async def send(self, answer: Answer, request: McpRequest, terms: Terms) -> None:
        """Pass on head and body, and hold nothing any more.

        Raises: as ``_pass_on``.
        """
        try:
            await self._pass_on(answer, request, terms)
        finally:
            self._share.hold(0)

    async def _pass_on(self, answer: Answer, request: McpRequest, terms: Terms) -> None:
        """Pass on head and body.

        An answer that breaks off upstream breaks off here, so that nobody takes it for whole; an event stream
        just ends, which is what clients resume from.

        Raises:
            UpstreamError: it broke off, or cannot pass, before anything of it was given out.
        """
        headers = build_answer_headers(answer.raw_headers(), status=answer.status, private=terms.private)
        headers = _with_session(headers, answer.status, terms)
        try:
            headers, pieces = await inspect(headers, self._patient(answer), terms, self._share)
        except Failure as exc:
            raise explain_failure(exc, request.gateway.url) from exc
        except TimeoutError as exc:
            host = host_of(request.gateway.url)
            raise UpstreamTimeout(f"{host}: nothing moved for {self._idle:g} s", sent=True) from exc
        if not request.inbound.whole:
            headers += [(name.encode(), value.encode()) for name, value in LAST.items()]
        self.begun = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        try:
            await self._send_pieces(pieces)
        except (Failure, TimeoutError) as exc:
            reason = exc.reason if isinstance(exc, Failure) else f"nothing moved for {self._idle:g} s"
            _log.warning("The answer of %s broke off: %s", host_of(request.gateway.url), reason)
            if not is_event_stream(headers):
                return  # without an end: the server closes the connection
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _patient(self, answer: Answer) -> AsyncIterator[bytes]:
        pieces = aiter(answer)
        while True:
            async with asyncio.timeout(self._idle):
                piece = await anext(pieces, b"")
            if not piece:
                return
            yield piece

    async def _send_pieces(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            async with asyncio.timeout(self._idle):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})


def _with_session(headers: list[Field], status: int, terms: Terms) -> list[Field]:
    """The header fields with the caller's name of the session; one of ours where the server has none to remember by."""
    if terms.begins and status == _OK and all(name != _SESSION for name, _ in headers):
        return [*headers, (_SESSION, terms.binder.bind("links without session", "-").encode())]
    kind: Kind = "session that opens links" if terms.opens_links else "session"
    return [
        (name, terms.binder.bind(kind, value.decode("latin-1")).encode() if name == _SESSION else value)
        for name, value in headers
    ]
