"""One request as it is asked for, and the answer to it: its head at once, its body in pieces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from latchpin.outbound.decoding import ByteBudget, Decoder
from latchpin.outbound.exchange_state import ExchangeState, explaining
from latchpin.outbound.posting import Posted

__all__ = ["Answer", "Outgoing", "within"]

_log = logging.getLogger("latchpin.outbound")

# Cookies, lest httpx keeps one user's for another; and what no longer describes the decoded body.
_DROPPED_FROM_RAW = frozenset({b"set-cookie"})
_DROPPED_HEADERS = _DROPPED_FROM_RAW | {
    b"content-encoding",
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"keep-alive",
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request.

    Attributes:
        body: whole, or in pieces; pieces need a content-length among the headers, else they go out chunked.
        deadline: when the whole exchange must be over, in the event loop's time; None: no limit.
        budget: how much may come back.
        fresh: on a connection of its own: a kept-alive one may die after the request was written to it.
        raw: accept-encoding is the caller's to send, and the body comes back as it is on the wire, undecoded.
    """

    method: str
    url: str = field(repr=False)  # its query may hold a key
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | AsyncIterable[bytes] = field(repr=False)
    deadline: float | None
    budget: ByteBudget
    fresh: bool = False
    raw: bool = False


_UNLIMITED: AbstractAsyncContextManager[object] = nullcontext()


def within(deadline: float | None) -> AbstractAsyncContextManager[object]:
    """Raise TimeoutError in the body at ``deadline``, in the event loop's time; None: never."""
    return _UNLIMITED if deadline is None else asyncio.timeout_at(deadline)


class Answer:
    """An answer whose head has come; its body is read by iterating, once. Whoever got it closes it."""

    def __init__(self, response: aiohttp.ClientResponse | Posted, outgoing: Outgoing, decoder: Decoder) -> None:
        self._response = response
        self._outgoing = outgoing
        self._decoder = decoder
        self.status = response.status
        dropped = _DROPPED_FROM_RAW if outgoing.raw else _DROPPED_HEADERS
        named = [(name.lower(), value) for name, value in response.raw_headers]
        self._raw = [field for field in named if field[0] not in dropped]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """In order, names in lower case, values as Latin-1; without cookies, nor what frames a decoded body."""
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw)

    @property
    def challenges(self) -> str:
        """Every ``WWW-Authenticate`` of the answer in one (RFC 9110 section 5.3)."""
        return ", ".join(value for name, value in self.headers if name == "www-authenticate")

    def header(self, name: str) -> str | None:
        """The last value of a header, its name in lower case."""
        return dict(self.headers).get(name)

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as bytes: a server may send what no text encoding holds."""
        return list(self._raw)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces; see ``pieces``."""
        return self.pieces()

    async def pieces(self, came: Callable[[], None] = lambda: None) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces; ``came`` is called when something of it came.

        Raises:
            Failure: ``sent`` is true in every case.
        """
        content, deadline = self._response.content, self._outgoing.deadline
        with explaining(self._outgoing.budget, ExchangeState(sent=True)):
            while raw := await (content.readany() if deadline is None else self._read(deadline)):
                came()
                for piece in self._decoder.feed(raw):
                    yield piece
            self._decoder.finish()
        if self._decoder.passed_over:
            _log.info("The answer of %s: %s", urlsplit(self._outgoing.url).hostname, self._decoder.passed_over)

    def at_hand(self) -> bytes | None:
        """The whole body of a ``raw`` answer, where all of it has come; None: ``pieces`` gives it.

        What it buys: a short answer comes with its head, and two generators cost more than all that is done with it.
        """
        content = self._response.content
        if not self._outgoing.raw or not content.is_eof() or content.exception() is not None:
            return None
        pieces = []
        while not content.at_eof():
            pieces.append(content.read_nowait())
        body = b"".join(pieces)
        with explaining(self._outgoing.budget, ExchangeState(sent=True)):
            self._decoder.feed(body)
        return body

    async def _read(self, deadline: float) -> bytes:
        async with asyncio.timeout_at(deadline):
            return await self._response.content.readany()

    def close(self) -> None:
        """Let the connection go; one whose body was not read to the end is closed."""
        if not self._response.content.at_eof():
            self._response.close()
        self._response.release()
