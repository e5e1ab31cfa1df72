"""The body of a request, read as a whole: a message is judged before anything of it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.errors import InvalidRequest, RequestTooLarge
from starlette.requests import ClientDisconnect

__all__ = ["read_body"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST = 60.0
"""How long the whole body may take, in seconds."""


async def read_body(receive: Receive, *, most: int) -> bytes:
    """The whole body.

    Raises:
        RequestTooLarge: it has more than ``most`` bytes.
        InvalidRequest: it does not come.
        ClientDisconnect: its sender is gone.
    """
    try:
        async with asyncio.timeout(LONGEST):
            return await _read(receive, most)
    except TimeoutError as exc:
        error = InvalidRequest(f"the body did not come within {LONGEST:g} seconds")
        error.status = 408
        raise error from exc


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        piece = await receive()
        if piece["type"] == "http.disconnect":
            raise ClientDisconnect
        body += piece.get("body", b"")
        if len(body) > most:
            raise RequestTooLarge(f"the body has more than {most} bytes (ONE_ENDPOINT_MAX_REQUEST_BYTES)")
        if not piece.get("more_body", False):
            return bytes(body)
