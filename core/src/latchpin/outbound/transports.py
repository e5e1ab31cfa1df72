"""The guarded session seen as an httpx transport. Its twin for the mcp SDK is ``latchpin.outbound.mcp_transport``.

A failure becomes the httpx exception of that meaning, with our ``Failure`` as its cause. Bodies stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx

from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.failure import Failure, FailureKind
from latchpin.outbound.http import DEFAULT_SIZE, GuardedSession
from latchpin.outbound.messages import Answer, Outgoing

__all__ = ["DEADLINE", "FRESH", "GuardedTransport", "exception_name", "failure_of"]

FRESH = "latchpin.fresh"
"""Request extension, a bool: use a connection of its own."""
DEADLINE = "latchpin.deadline"
"""Request extension: when the exchange must be over, in the event loop's time."""

_EXCEPTIONS: dict[FailureKind, str] = {
    "address": "ConnectError",
    "url": "UnsupportedProtocol",
    "connect": "ConnectError",
    "tls": "ConnectError",
    "broken": "ReadError",
    "too-large": "RemoteProtocolError",
    "undecodable": "RemoteProtocolError",
}

# httpx logs every URL with its query at INFO. Nothing that carries requests here needs that line.
logging.getLogger("httpx").setLevel(logging.WARNING)


def exception_name(failure: Failure) -> str:
    """Which exception of httpx, and of httpx2 alike, means this failure."""
    if failure.kind == "timeout":
        return "ReadTimeout" if failure.sent else "ConnectTimeout"
    return _EXCEPTIONS[failure.kind]


def failure_of(exc: BaseException) -> Failure | None:
    """The failure behind an exception that a guarded transport raised."""
    return exc.__cause__ if isinstance(exc.__cause__, Failure) else None


class GuardedTransport(httpx.AsyncBaseTransport):
    """Carries httpx requests over the guarded session. It does not own the session.

    Args:
        session: where requests go.
        deadline: seconds for a whole exchange, body included, unless the request's extension says otherwise;
            None: no limit.
        size: how large an answer may be, in bytes.
    """

    def __init__(self, session: GuardedSession, *, deadline: float | None, size: int = DEFAULT_SIZE) -> None:
        self._session = session
        self._deadline = deadline
        self._size = size

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; raise a ``httpx.TransportError`` whose cause is a ``Failure``."""
        deadline = request.extensions.get(DEADLINE)
        if deadline is None and self._deadline is not None:
            deadline = asyncio.get_running_loop().time() + self._deadline
        outgoing = Outgoing(
            method=request.method,
            url=str(request.url),
            headers=tuple(request.headers.multi_items()),
            body=await request.aread(),
            deadline=deadline,
            budget=ByteBudget(self._size),
            fresh=bool(request.extensions.get(FRESH)),
        )
        try:
            answer = await self._session.send(outgoing)
        except Failure as exc:
            raise _translate(exc, request) from exc
        return httpx.Response(answer.status, headers=answer.raw_headers(), stream=_Body(answer, request))


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: Answer, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer:
                yield piece
        except Failure as exc:
            raise _translate(exc, self._request) from exc

    async def aclose(self) -> None:
        self._answer.close()


def _translate(failure: Failure, request: httpx.Request) -> httpx.TransportError:
    kind: type[httpx.TransportError] = getattr(httpx, exception_name(failure))
    return kind(failure.reason, request=request)
