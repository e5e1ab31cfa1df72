"""A POST whose body is whole, written at once to a connection of a session's pool.

Each call of a program is one, and each request to a token endpoint. aiohttp's own way makes a request, a payload, a
writer and a task for each, which costs more than all that is done with it here. So its head is put together and written
with its body, and aiohttp's connections (addresses, TLS, the pool) and its parser do the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import yarl
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from multidict import CIMultiDict

from latchpin.outbound.egress import EgressProxy
from latchpin.outbound.failure import Failure
from latchpin.workers.bounded import Bounded

__all__ = ["LONGEST_FIELD", "Posted", "Posts"]

LONGEST_FIELD = 8_190
"""How long the first line of an answer, and each header field of it, may be, in bytes."""
_MOST_TARGETS = 1_000
_CONTINUES = range(100, 200)
_SWITCHES = 101
_LENGTH = "content-length"

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Target:
    """What all requests to one URL have in common.

    Attributes:
        place: says to the connector where to connect, and is never sent.
        lines: the request line and ``Host``.
    """

    place: aiohttp.ClientRequest
    lines: tuple[str, str]


class Posted:
    """The answer, as far as ``messages.Answer`` looks at an ``aiohttp.ClientResponse``."""

    def __init__(self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader) -> None:
        self._connection = connection
        self.status = message.code
        self.headers = message.headers
        self.raw_headers = message.raw_headers
        self.content = content

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def release(self) -> None:
        """Give the connection back, unless something is still on its way there."""
        transport = self._connection.transport
        if transport is not None and transport.get_write_buffer_size():
            self._connection.close()
        else:
            self._connection.release()


class Posts:
    """Sends them.

    Args:
        session: whose connections are used.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._targets: Bounded[yarl.URL, _Target] = Bounded(_MOST_TARGETS)

    async def send(self, url: yarl.URL, headers: Fields, body: bytes, proxy: EgressProxy | None) -> Posted:
        """Send, and wait for the answer's head.

        ``proxy`` is what requests to ``url`` leave through, always the same; then ``url`` is https, so that the proxy
        does not read them.

        Raises:
            Failure: the answer is not HTTP.
            aiohttp.ClientError, OSError, TimeoutError, ValueError: as ``aiohttp.ClientSession.request`` does.
        """
        target = self._targets.get(url)
        if target is None:
            target = self._targets[url] = self._prepare(url, proxy)
        head = _build_head(target.lines, headers, len(body))
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        connection = await connector.connect(target.place, traces=[], timeout=self._session.timeout)
        try:
            return await _exchange(connection, head + body)
        except BaseException:
            connection.close()
            raise

    def _prepare(self, url: yarl.URL, proxy: EgressProxy | None) -> _Target:
        loop = asyncio.get_running_loop()
        through, fields = (None, None) if proxy is None else (proxy.url, CIMultiDict(proxy.fields) or None)
        if fields is not None:  # aiohttp would add it at the first connection, and know that one by other fields then
            fields["Host"] = url.raw_authority
        place = aiohttp.ClientRequest(
            "POST", url, loop=loop, session=self._session, proxy=through, proxy_headers=fields
        )
        return _Target(place, (f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {place.headers['Host']}"))


def _build_head(lines: Sequence[str], headers: Fields, length: int) -> bytes:
    """The request's head (RFC 9112 section 3).

    Raises:
        ValueError: a value would end its line.
    """
    names = {name.lower() for name, _ in headers}
    sent = headers if _LENGTH not in names else [field for field in headers if field[0].lower() != _LENGTH]
    lines = [*lines, *[f"{name}: {value}" for name, value in sent], f"Content-Length: {length}"]
    if "accept" not in names:
        lines.append("Accept: */*")
    text = "\r\n".join(lines)
    if not text.count("\r") == text.count("\n") == len(lines) - 1 or "\0" in text:
        raise ValueError("a header field has a line end or a NUL in it")
    return text.encode() + b"\r\n\r\n"


async def _exchange(connection: Connection, request: bytes) -> Posted:
    protocol = connection.protocol
    transport = connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection is closing")
    protocol.set_response_params(
        read_until_eof=True, auto_decompress=False, max_line_size=LONGEST_FIELD, max_field_size=LONGEST_FIELD
    )
    transport.write(request)
    try:
        message, content = await protocol.read()
        while message.code in _CONTINUES and message.code != _SWITCHES:
            message, content = await protocol.read()
    except HttpProcessingError as exc:
        raise Failure("undecodable", "its answer is not HTTP, or its header is too large", sent=True) from exc
    return Posted(connection, message, content)
