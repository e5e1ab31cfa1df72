"""How large and how slow a request may be, and the one object that counts a body while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from starlette.routing import Route

from latchpin.errors import InvalidRequest, RequestTooLarge

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_URL_BYTES",
    "RequestBody",
    "StreamingRoute",
    "body_too_large",
    "check_sizes",
]

MAX_URL_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
"""How long a client may keep us waiting for its body, in all."""
LINGER_BYTES = 16 * 1024 * 1024
LINGER_SECONDS = 2.0
"""What is read of a body after the answer: a connection closed over unread bytes is reset, and the answer lost."""
SMALL_REST = 64 * 1024
"""A rest of a body that is read for the sake of keeping the connection."""

_DIGITS = 20
"""Of 2^64."""

Receive = Callable[[], Awaitable[Any]]


class StreamingRoute(Route):
    """A route that reads its bodies piece by piece and limits them itself; the guard does not.

    The guard knows those that the application is made with: a plugin adds one to the ``routes`` of the router
    that it offers through ``latchpin_routes``.
    """


def check_sizes(path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Check what stands before the body; return how long the body says it is, 0 if it does not.

    Raises:
        RequestTooLarge: with status 414 (RFC 9110 section 15.5.15), 431 (RFC 6585 section 5) or 400.
    """
    if len(path) + len(query) > MAX_URL_BYTES:
        raise _too_large(414, f"the URL has more than {MAX_URL_BYTES} bytes")
    count = len(headers)
    size = sum(map(len, chain.from_iterable(headers))) + 4 * count  # the colon, the space and the line's end
    if count > MAX_HEADERS:
        raise _too_large(431, f"the request has more than {MAX_HEADERS} header fields")
    if size > MAX_HEADER_BYTES:
        raise _too_large(431, f"the header fields have more than {MAX_HEADER_BYTES} bytes")
    lengths = [_parse_length(value) for name, value in headers if name == b"content-length"]
    return lengths[-1] if lengths else 0


class RequestBody:
    """A ``receive`` that knows whether the request has been read to its end, and what it may cost until then.

    Only the time that is spent waiting for the client counts; after the end, nothing does: what is waited for then is
    that the client leaves.

    Attributes:
        whole: nothing more of it is to come.
        left: how many bytes are to come, None if nobody said.
    """

    __slots__ = ("_limit", "_receive", "_seconds", "_seen", "left", "whole")

    def __init__(self, receive: Receive, scope: MutableMapping[str, Any]) -> None:
        self._receive = receive
        self._limit: int | None = MAX_BODY_BYTES
        self._seconds: float | None = BODY_SECONDS
        self._seen = 0
        self.whole, self.left = _foretell(scope)

    def let_stream(self) -> None:
        """Leave limit and deadline to the route."""
        self._limit = self._seconds = None

    async def __call__(self) -> Any:  # noqa: ANN401  an ASGI message
        """Receive the next message.

        Raises:
            RequestTooLarge: the body is over the limit.
            InvalidRequest: with status 408 (RFC 9110 section 15.5.9): it does not arrive.
        """
        if self.whole:
            return await self._receive()
        message = await (self._receive() if self._seconds is None else self._receive_in_time(self._seconds))
        self._note(message)
        if self._limit is not None and self._seen > self._limit:
            raise body_too_large()
        return message

    async def drain(self) -> None:
        """Read on a little and throw it away, so that a client that is still sending gets to its answer."""
        until = self._seen + LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.whole and self._seen < until:
                    self._note(await self._receive())

    async def _receive_in_time(self, seconds: float) -> Any:  # noqa: ANN401  an ASGI message
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise body_too_late() from None
        self._seconds = seconds - (clock() - began)
        return message

    def _note(self, message: Any) -> None:  # noqa: ANN401  an ASGI message
        size = len(message.get("body", b""))
        self._seen += size
        self.left = None if self.left is None else self.left - size
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)


def _foretell(scope: MutableMapping[str, Any]) -> tuple[bool, int | None]:
    """Whether a request has no body, and how long it is; a length that is no number is refused elsewhere."""
    length: int | None = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return False, None
        if name == b"content-length" and value.isdigit() and len(value) < _DIGITS:
            length = int(value)
    if length is None and scope.get("http_version", "1.1") >= "2":  # there, a body need not announce itself
        return scope["method"] in {"GET", "HEAD"}, None
    return not length, length


def _parse_length(value: bytes) -> int:
    if not (value.isdigit() and len(value) < _DIGITS):
        raise _too_large(400, "Content-Length is not a number")
    return int(value)


def body_too_large() -> RequestTooLarge:
    """What to raise for a body over the limit (status 413)."""
    return _too_large(413, f"the body has more than {MAX_BODY_BYTES} bytes")


def body_too_late() -> InvalidRequest:
    """What to raise for a body that does not arrive."""
    error = InvalidRequest(
        f"the body did not arrive within {BODY_SECONDS:g} seconds", remedy="Send the whole request at once."
    )
    error.status = 408
    return error


def _too_large(status: int, detail: str) -> RequestTooLarge:
    error = RequestTooLarge(detail)
    error.status = status
    return error
