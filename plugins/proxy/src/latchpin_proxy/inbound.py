"""What the caller sends: held while it is small, in pieces when it is not, and whether the caller is still there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.errors import InvalidRequest, LatchpinError, RequestTooLarge
from starlette.requests import ClientDisconnect

from latchpin_proxy.first_looks import FirstLooks
from latchpin_proxy.messages import LONGEST_SIGN, may_name, seems_utf8
from latchpin_proxy.watch import Watch

__all__ = ["Inbound"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Inbound:
    """One request's body.

    Args:
        receive: ASGI's.
        limit: how large the body may be, in bytes.
        idle: how long the next piece may take, in seconds.
        first_looks: says when to look first whether the caller is still there.

    Attributes:
        watch: watches over the exchange with this caller.
        whole: the body has been read to its end.
        seen: how much of it has come, in bytes.
        awaited: its next piece is waited for.
        failure: why ``pieces`` ended early, for whoever only sees that the request could not be sent.
    """

    def __init__(self, receive: Receive, *, limit: int, idle: float, first_looks: FirstLooks) -> None:
        self._receive = receive
        self._limit = limit
        self.seen = 0
        self._ahead: list[bytes] = []
        self._ended: asyncio.Event | None = None
        self._given = False
        self.watch = Watch(idle, first_looks)
        self.whole = self.awaited = False
        self.failure: LatchpinError | ClientDisconnect | None = None

    async def hold(self, most: int) -> bytes | None:
        """Read the whole body if it has at most ``most`` bytes; None if it has more, and ``pieces`` gives it.

        Raises:
            ClientDisconnect, InvalidRequest, RequestTooLarge.
        """
        held = 0
        while not self.whole:
            self.watch.moved()
            piece = await self._next()
            self._ahead.append(piece)
            held += len(piece)
            if held > most:
                return None
        self.watch.rest()
        return b"".join(self._ahead)

    async def read_late(self, most: int) -> bytes | None:
        """The whole body, after it was found too large to be held; None if it has more than ``most`` bytes.

        None also where ``pieces`` gave some of it, and where the rest does not come.
        """
        if self._given:
            return None
        size = sum(len(piece) for piece in self._ahead)
        with contextlib.suppress(LatchpinError, ClientDisconnect, TimeoutError):
            while not self.whole and size <= most:
                async with asyncio.timeout(self.watch.idle):
                    self._ahead.append(await self._next())
                size += len(self._ahead[-1])
        return b"".join(self._ahead) if self.whole and size <= most else None

    async def skip(self, most: int) -> None:
        """Read on and throw away, up to ``most`` bytes: who is still sending may not see an answer before that."""
        enough = self.seen + most
        with contextlib.suppress(LatchpinError, ClientDisconnect, TimeoutError):
            while not self.whole and self.seen < enough:
                async with asyncio.timeout(self.watch.idle):
                    await self._next()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body from its beginning, once.

        Raises:
            ClientDisconnect, InvalidRequest, RequestTooLarge: the last also where it names what has to be opened.
        """
        self._given = True
        last = b""
        try:
            while self._ahead or not self.whole:
                piece = self._ahead.pop(0) if self._ahead else await self._next()
                self.watch.moved()
                if len(last) < 4 and not seems_utf8(last + piece):  # noqa: PLR2004  what it looks at
                    raise InvalidRequest("the message is not JSON in UTF-8")
                if may_name(last + piece):
                    raise RequestTooLarge("the message names a task or a state, and has more than PROXY_HELD_BYTES")
                last = (last + piece)[-LONGEST_SIGN:]
                if piece:
                    yield piece
        except (LatchpinError, ClientDisconnect) as exc:
            self.failure = exc
            raise

    def too_slow(self) -> InvalidRequest:
        """What is said to a caller whose body does not come."""
        error = InvalidRequest(f"nothing of the body came for {self.watch.idle:g} seconds")
        error.status = 408
        return error

    async def gone(self) -> None:
        """Return when the caller has hung up. Looks only after the body, which somebody else reads."""
        if not self.whole:
            self._ended = asyncio.Event()
            await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> bytes:
        self.awaited = True
        message = await self._receive()
        self.awaited = False
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        self.seen += len(piece)
        if self.seen > self._limit:
            raise RequestTooLarge(f"the body has more than {self._limit} bytes (PROXY_MAX_REQUEST_BYTES)")
        if not message.get("more_body", False):
            self.whole = True
            if self._ended is not None:
                self._ended.set()
        return piece
