"""The one way out of the gateway: a guarded HTTP session over aiohttp.

What it holds on to, whoever asks: the address connected to is the address that was checked (in the socket
factory, which sees every connect, IP literals and each address of a name alike); https only; no redirects, no
cookies, no proxy settings or passwords from the environment; a deadline over the whole exchange, so that a
server that drips one byte a second does not hold us; bodies capped before and after decoding. Failures say
whether anything was sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver

from latchpin.contracts.observers import Operation
from latchpin.observers import Observers
from latchpin.outbound.addresses import refusal
from latchpin.outbound.decoding import (
    ACCEPTED_ENCODINGS,
    Allowance,
    BodyTooLarge,
    BodyUndecodable,
    Decoder,
    open_decoder,
)
from latchpin.outbound.failure import Failure, explain
from latchpin.outbound.tls import build_ssl_context

__all__ = ["DEFAULT_SIZE", "Answer", "GuardedSession", "Outgoing", "open_session"]

DEFAULT_SIZE = 1_000_000
"""How large a decoded body may be unless somebody says otherwise, in bytes."""

# For aiohttp to decide; a caller's own Host could name another server than the URL.
_HOP_HEADERS = frozenset({"host", "transfer-encoding", "connection"})
_OUR_HEADERS = _HOP_HEADERS | {"content-length", "accept-encoding"}
# Cookies, lest httpx keeps one user's for another; and what no longer describes the decoded body.
_DROPPED_FROM_RAW = frozenset({"set-cookie"})
_DROPPED_HEADERS = _DROPPED_FROM_RAW | {
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request.

    Attributes:
        body: whole, or in pieces; pieces need a content-length among the headers, else they go out chunked.
        deadline: when the whole exchange must be over, in the event loop's time; None: no limit.
        allowance: how much may come back.
        fresh: on a connection of its own: a kept-alive one may die after the request was written to it.
        raw: accept-encoding is the caller's to send, and the body comes back as it is on the wire, undecoded.
    """

    method: str
    url: str = field(repr=False)  # its query may hold a key
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | AsyncIterable[bytes] = field(repr=False)
    deadline: float | None
    allowance: Allowance
    fresh: bool = False
    raw: bool = False


@dataclass(slots=True)
class _Trail:
    """What is seen of one request on its way."""

    sent: bool = False
    refused: list[str] = field(default_factory=list)


class _RefusedAddress(OSError):
    """The socket factory's refusal; the next address of the name, if there is one, is tried."""


_trail: ContextVar[_Trail | None] = ContextVar("latchpin_trail", default=None)


class Answer:
    """An answer whose head has come; its body is read by iterating, once. Whoever got it closes it.

    Attributes:
        headers: in order, names in lower case, values as Latin-1; without cookies, nor what frames a decoded body.
    """

    def __init__(self, response: aiohttp.ClientResponse, outgoing: Outgoing, decoder: Decoder) -> None:
        self._response = response
        self._outgoing = outgoing
        self._decoder = decoder
        self.status = response.status
        dropped = _DROPPED_FROM_RAW if outgoing.raw else _DROPPED_HEADERS
        self.headers = tuple(
            (name, value.decode("latin-1"))
            for name, value in ((raw.decode("latin-1").lower(), value) for raw, value in response.raw_headers)
            if name not in dropped
        )

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as bytes: a server may send what no text encoding holds."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces.

        Raises:
            Failure: ``sent`` is true in every case.
        """
        trail = _Trail(sent=True)
        while raw := await self._read(trail):
            with _explaining(self._outgoing, trail):
                for piece in self._decoder.feed(raw):
                    yield piece
        with _explaining(self._outgoing, trail):
            self._decoder.finish()

    async def _read(self, trail: _Trail) -> bytes:
        with _explaining(self._outgoing, trail):
            async with asyncio.timeout_at(self._outgoing.deadline):
                return await self._response.content.readany()

    def close(self) -> None:
        """Let the connection go; one whose body was not read to the end is closed."""
        if not self._response.content.at_eof():
            self._response.close()
        self._response.release()


class GuardedSession:
    """Sends requests under the guard. Made by ``open_session``."""

    def __init__(
        self, pooled: aiohttp.ClientSession, fresh: aiohttp.ClientSession, *, private: bool, observers: Observers
    ) -> None:
        self._pooled = pooled
        self._fresh = fresh
        self._private = private
        self._observers = observers

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send and wait for the answer's head. Any status is an answer.

        Raises:
            Failure: there is none.
        """
        if not self._observers:
            return await self._send(outgoing)
        with self._observers.watch(_operation(outgoing)) as operation:
            try:
                answer = await self._send(_carrying(outgoing, operation.carried))
            except Failure as exc:
                operation.outcome = exc.kind
                raise
            operation.facts["status"] = str(answer.status)
            return answer

    async def _send(self, outgoing: Outgoing) -> Answer:
        trail = _Trail()
        url = self._check_url(outgoing.url)
        ours = _HOP_HEADERS if outgoing.raw else _OUR_HEADERS
        headers = [(name, value) for name, value in outgoing.headers if name.lower() not in ours]
        if not outgoing.raw:
            headers.append(("accept-encoding", ACCEPTED_ENCODINGS))
        session = self._fresh if outgoing.fresh else self._pooled
        token = _trail.set(trail)
        try:
            with _explaining(outgoing, trail):
                async with asyncio.timeout_at(outgoing.deadline):
                    response = await session.request(
                        outgoing.method,
                        url,
                        headers=headers,
                        data=outgoing.body or None,
                        allow_redirects=False,
                        trace_request_ctx=trail,
                    )
        finally:
            _trail.reset(token)
        try:
            with _explaining(outgoing, _Trail(sent=True)):
                encoding = "" if outgoing.raw else response.headers.get("content-encoding", "")
                decoder = open_decoder(encoding, outgoing.allowance)
        except Failure:
            response.close()
            raise
        return Answer(response, outgoing, decoder)

    def _check_url(self, text: str) -> yarl.URL:
        try:
            url = yarl.URL(text, encoded=True)
            port = url.port
        except ValueError as exc:
            raise Failure("url", "the URL cannot be read", sent=False) from exc
        if url.scheme not in {"http", "https"} or not url.host or not port:
            raise Failure("url", "the URL is not an absolute http or https URL", sent=False)
        if url.user is not None or url.password is not None:
            raise Failure("url", "the URL holds a user name or password", sent=False)
        if url.scheme == "http" and not self._private:
            raise Failure("address", "its URL is http, and only https is allowed", sent=False)
        return url.with_fragment(None)


@asynccontextmanager
async def open_session(
    *,
    allow_private_networks: bool = False,
    resolver: AbstractResolver | None = None,
    connections: int = 200,
    connections_per_host: int = 50,
    connect_timeout: float | None = None,
    observers: Observers | None = None,
) -> AsyncIterator[GuardedSession]:
    """Open the session, once for the process; leaving closes every connection.

    Args:
        allow_private_networks: OAUTH_ALLOW_PRIVATE_NETWORKS: any address, and http.
        resolver: how names become addresses; the system's way if None.
        connections: how many may be open at once, more wait; 0: any number.
        connections_per_host: the same for one host and port.
        connect_timeout: seconds for one connection to come about; None: only the request's deadline counts.
        observers: watch each request, and may let headers travel with it.
    """
    context = build_ssl_context(os.environ)
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                _open_client(
                    aiohttp.TCPConnector(
                        ssl=context,
                        limit=connections,
                        limit_per_host=connections_per_host,
                        force_close=fresh,
                        resolver=resolver,
                        socket_factory=None if allow_private_networks else _open_guarded_socket,
                    ),
                    connect_timeout,
                )
            )
            for fresh in (False, True)
        ]
        watching = Observers() if observers is None else observers
        yield GuardedSession(sessions[0], sessions[1], private=allow_private_networks, observers=watching)


def _operation(outgoing: Outgoing) -> Operation:
    try:
        host = urlsplit(outgoing.url).hostname or ""
    except ValueError:  # sending it will fail, and say so
        host = ""
    return Operation("upstream", outgoing.method, {"host": host})


def _carrying(outgoing: Outgoing, carried: Mapping[str, str]) -> Outgoing:
    """The same request with these headers, in place of any of those names that it had."""
    if not carried:
        return outgoing
    others = tuple(pair for pair in outgoing.headers if pair[0].lower() not in carried)
    return replace(outgoing, headers=(*others, *carried.items()))


def _open_client(connector: aiohttp.TCPConnector, connect_timeout: float | None) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_sent)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=connect_timeout, sock_read=None),
        trace_configs=[trace],
        trust_env=False,
        auto_decompress=False,
        raise_for_status=False,
        skip_auto_headers=("User-Agent", "Content-Type"),
        max_line_size=8_190,
        max_field_size=8_190,
    )


def _open_guarded_socket(info: Any) -> socket.socket:  # noqa: ANN401  aiohttp's AddrInfoType is not public
    """Make the socket for one address, or refuse; the address given here is the one connected to."""
    family, kind, protocol, _, address = info
    reason = refusal(str(address[0]))
    if reason is not None:
        trail = _trail.get()
        if trail is not None:
            trail.refused.append(f"{address[0]} is {reason}")
        raise _RefusedAddress(f"{address[0]} is {reason}")
    return socket.socket(family, kind, protocol)


async def _note_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    trail: _Trail = context.trace_request_ctx
    trail.sent = True


@contextmanager
def _explaining(outgoing: Outgoing, trail: _Trail) -> Iterator[None]:
    """Turn what aiohttp, the sockets and the decoder raise into a Failure."""
    try:
        yield
    except TimeoutError as exc:
        raise Failure("timeout", "no whole answer in time", sent=trail.sent) from exc
    except BodyTooLarge as exc:
        limit = f"its answer is larger than {outgoing.allowance.size:,} bytes"
        raise Failure("too-large", limit, sent=True) from exc
    except BodyUndecodable as exc:
        raise Failure("undecodable", f"its answer cannot be decoded: {exc}", sent=True) from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise explain(exc, refused=trail.refused, sent=trail.sent) from exc
