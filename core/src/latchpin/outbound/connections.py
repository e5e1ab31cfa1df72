"""The connections below the session: aiohttp makes them, and each address is judged before it is connected to."""

from __future__ import annotations

import socket
from ssl import SSLContext
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from latchpin.outbound.addresses import refusal
from latchpin.outbound.exchange_state import ExchangeState, note_refused

__all__ = ["open_client"]


class _RefusedAddress(OSError):
    """The socket factory's refusal; the next address of the name, if there is one, is tried."""


def open_client(
    context: SSLContext,
    *,
    private: bool,
    fresh: bool,
    resolver: AbstractResolver | None,
    limit: int,
    limit_per_host: int,
    connect_timeout: float | None,
) -> aiohttp.ClientSession:
    """Give a client without cookies, proxies or passwords of the environment's, to be entered; it notes what was sent.

    Args:
        context: how TLS is done.
        private: any address is connected to.
        fresh: no connection is kept after its request.
        resolver: how names become addresses; the system's way if None.
        limit: how many connections may be open at once.
        limit_per_host: the same for one host and port.
        connect_timeout: seconds for one connection to come about.
    """
    connector = aiohttp.TCPConnector(
        ssl=context,
        limit=limit,
        limit_per_host=limit_per_host,
        force_close=fresh,
        resolver=resolver,
        socket_factory=None if private else _open_guarded_socket,
    )
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
        note_refused(f"{address[0]} is {reason}")
        raise _RefusedAddress(f"{address[0]} is {reason}")
    return socket.socket(family, kind, protocol)


async def _note_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    exchange: ExchangeState = context.trace_request_ctx
    exchange.sent = True
