"""The one way out of the gateway: a guarded HTTP session over aiohttp.

What it holds on to, for everybody: the address connected to is the address that was checked (in the socket factory,
which sees every connect, IP literals and each address of a name alike), or, where requests leave through the company's
proxy, what that is asked for was; https only; no redirects, no cookies, no passwords from the environment; a deadline
over the whole exchange, so that a server that drips one byte a second does not hold us; bodies capped before and after
decoding. Failures say whether anything was sent.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict

from latchpin.activity.observers import Observers
from latchpin.contracts.observers import Operation
from latchpin.outbound.connections import open_client
from latchpin.outbound.decoding import ACCEPTED_ENCODINGS, Decoder, open_decoder
from latchpin.outbound.egress import NO_EGRESS, Egress, EgressProxy
from latchpin.outbound.exchange_state import ExchangeState, explaining, following
from latchpin.outbound.failure import Failure
from latchpin.outbound.messages import Answer, Outgoing, within
from latchpin.outbound.posting import Posted, Posts
from latchpin.outbound.tls import build_ssl_context

__all__ = ["DEFAULT_SIZE", "GuardedSession", "open_session"]

DEFAULT_SIZE = 1_000_000
"""How large a decoded body may be unless somebody says otherwise, in bytes."""
STATUSES = range(200, 600)
"""What a final answer's status may be (RFC 9110 section 15); 101 would make the connection another protocol's."""

# For aiohttp to decide; a caller's own Host could name another server than the URL.
_HOP_HEADERS = frozenset({"host", "transfer-encoding", "connection"})
_OUR_HEADERS = _HOP_HEADERS | {"content-length", "accept-encoding"}


class GuardedSession:
    """Sends requests under the guard. Made by ``open_session``."""

    def __init__(
        self,
        pooled: aiohttp.ClientSession,
        fresh: aiohttp.ClientSession,
        *,
        private: bool,
        observers: Observers,
        egress: Egress = NO_EGRESS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._pooled = pooled
        self._fresh = fresh
        self._egress = egress
        self._resolver = resolver
        self._posts = Posts(pooled)
        self._fresh_posts = Posts(fresh)
        self._private = private
        self._observers = observers

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send and wait for the answer's head. Any status from 200 to 599 is an answer.

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
        exchange = ExchangeState()
        url = _check_url(outgoing.url, private=self._private)
        proxy = self._egress.proxy_for(url)
        exchange.proxied = proxy is not None
        with following(exchange), explaining(outgoing.budget, exchange):
            async with within(outgoing.deadline):
                if proxy is not None and not self._private:
                    await self._egress.judge(url, self._resolver)
                response = await self._request(url, outgoing, proxy)
        try:
            _check_status(response.status)
            decoder = _open_decoder(response, outgoing)
        except Failure:
            response.close()
            raise
        return Answer(response, outgoing, decoder)

    async def _request(
        self, url: yarl.URL, outgoing: Outgoing, proxy: EgressProxy | None
    ) -> aiohttp.ClientResponse | Posted:
        given, body = _build_headers(outgoing), outgoing.body
        tunnels = proxy is None or url.scheme == "https"
        if tunnels and outgoing.method == "POST" and isinstance(body, bytes):
            return await (self._fresh_posts if outgoing.fresh else self._posts).send(url, given, body, proxy)
        session = self._fresh if outgoing.fresh else self._pooled
        headers = CIMultiDict(given)
        through, fields = (None, None) if proxy is None else (proxy.url, proxy.fields)
        if fields and not tunnels:
            headers.update(fields)
        return await session.request(
            outgoing.method,
            url,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            proxy=through,
            proxy_headers=fields,
        )


@lru_cache(maxsize=1024)
def _check_url(text: str, *, private: bool) -> yarl.URL:
    """The URL as aiohttp wants it. The same few are asked again and again; one that is refused is judged anew.

    Raises:
        Failure: it is not one that is sent to; ``private`` as for ``open_session``.
    """
    try:
        url = yarl.URL(text, encoded=True)
        host, port = url.host, url.port  # the host is decoded here, which may fail
    except ValueError as exc:
        raise Failure("url", "the URL cannot be read", sent=False) from exc
    if url.scheme not in {"http", "https"} or not host or not port:
        raise Failure("url", "the URL is not an absolute http or https URL", sent=False)
    if url.user is not None or url.password is not None:
        raise Failure("url", "the URL holds a user name or password", sent=False)
    if url.scheme == "http" and not private:
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
    egress: Egress = NO_EGRESS,
) -> AsyncIterator[GuardedSession]:
    """Open the session, once for the process; leaving closes every connection.

    Args:
        allow_private_networks: OAUTH_ALLOW_PRIVATE_NETWORKS: any address, and http.
        resolver: how names become addresses; the system's way if None.
        connections: how many may be open at once, more wait; 0: any number.
        connections_per_host: the same for one host and port.
        connect_timeout: seconds for one connection to come about; None: only the request's deadline counts.
        observers: watch each request, and may let headers travel with it.
        egress: which requests leave through a proxy, as ``find_egress`` says; none if left out.
    """
    context = build_ssl_context(os.environ)
    async with AsyncExitStack() as stack:
        pooled, alone = [
            await stack.enter_async_context(
                open_client(
                    context,
                    private=allow_private_networks,
                    fresh=fresh,
                    resolver=resolver,
                    limit=connections,
                    limit_per_host=connections_per_host,
                    connect_timeout=connect_timeout,
                )
            )
            for fresh in (False, True)
        ]
        watching = Observers() if observers is None else observers
        yield GuardedSession(
            pooled,
            alone,
            private=allow_private_networks,
            observers=watching,
            egress=egress,
            resolver=resolver,
        )


def _build_headers(outgoing: Outgoing) -> list[tuple[str, str]]:
    dropped = _HOP_HEADERS if outgoing.raw else _OUR_HEADERS
    kept = [field for field in outgoing.headers if field[0].lower() not in dropped]
    return kept if outgoing.raw else [*kept, ("accept-encoding", ACCEPTED_ENCODINGS)]


def _open_decoder(response: aiohttp.ClientResponse | Posted, outgoing: Outgoing) -> Decoder:
    if outgoing.raw:
        return Decoder(outgoing.budget)
    with explaining(outgoing.budget, ExchangeState(sent=True)):
        encoding = ", ".join(response.headers.getall("content-encoding", ()))
        return open_decoder(encoding, outgoing.budget)


def _check_status(status: int) -> None:
    if status not in STATUSES:
        raise Failure("undecodable", f"it answered with the status {status:03}, which no answer has", sent=True)


def _operation(outgoing: Outgoing) -> Operation:
    return Operation("upstream", outgoing.method, {"host": _host(outgoing.url)})


@lru_cache(maxsize=1024)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # sending it will fail, and say so
        return ""


def _carrying(outgoing: Outgoing, carried: Mapping[str, str]) -> Outgoing:
    """The same request with these headers, in place of any of those names that it had."""
    if not carried:
        return outgoing
    others = tuple(pair for pair in outgoing.headers if pair[0].lower() not in carried)
    return replace(outgoing, headers=(*others, *carried.items()))
