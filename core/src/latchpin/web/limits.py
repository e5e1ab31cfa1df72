"""How large a request may be, and the one object that counts a body while it arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.routing import Route

from latchpin.errors import RequestTooLarge

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_URL_BYTES",
    "CountedBody",
    "StreamingRoute",
    "body_too_large",
    "check_sizes",
]

MAX_URL_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024

Receive = Callable[[], Awaitable[Any]]


class StreamingRoute(Route):
    """A route that reads its bodies piece by piece and limits them itself; the guard does not.

    The guard knows those that the application is made with: a plugin adds one to the ``routes`` of the router
    that it offers through ``latchpin_routes``.
    """


def check_sizes(path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Check what stands before the body; return how long the body says it is, 0 if it does not.

    Raises:
        RequestTooLarge: with status 414 (RFC 9110 section 15.5.15), 431 (RFC 6585 section 5) or 400.
    """
    if len(path) + len(query) > MAX_URL_BYTES:
        raise _too_large(414, f"the URL has more than {MAX_URL_BYTES} bytes")
    count = size = declared = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value) + 4  # the colon, the space and the line's end
        if name == b"content-length":
            declared = _parse_length(value)
    if count > MAX_HEADERS:
        raise _too_large(431, f"the request has more than {MAX_HEADERS} header fields")
    if size > MAX_HEADER_BYTES:
        raise _too_large(431, f"the header fields have more than {MAX_HEADER_BYTES} bytes")
    return declared


class CountedBody:
    """A ``receive`` that refuses to pass on more than the limit, for bodies that do not say how long they are."""

    __slots__ = ("_receive", "_seen")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Any:  # noqa: ANN401  an ASGI message
        """Receive the next message. Raises RequestTooLarge."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > MAX_BODY_BYTES:
                raise body_too_large()
        return message


def _parse_length(value: bytes) -> int:
    if not (value.isdigit() and len(value) < 20):  # noqa: PLR2004  digits of 2^64
        raise _too_large(400, "Content-Length is not a number")
    return int(value)


def body_too_large() -> RequestTooLarge:
    """What to raise for a body over the limit (status 413)."""
    return _too_large(413, f"the body has more than {MAX_BODY_BYTES} bytes")


def _too_large(status: int, detail: str) -> RequestTooLarge:
    error = RequestTooLarge(detail)
    error.status = status
    return error
