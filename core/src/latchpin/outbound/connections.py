"""The connections below the session: aiohttp makes them, and each address is judged before it is connected to."""

from __future__ import annotations

import socket
from ssl import SSLContext
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from latchpin.outbound.addresses import refusal
from latchpin.outbound.exchange_state import is_proxied, note_refused, note_sent
from latchpin.outbound.posting import LONGEST_FIELD

__all__ = ["open_client"]

_TRIES = 100
"""More connections than are usually kept for one host. Each that is not given out is closed, so a new one comes."""


class _RefusedAddress(OSError):
    """The socket factory's refusal; the next address of the name, if there is one, is tried."""


class _NotingConnector(aiohttp.TCPConnector):
    """Notes that a request has got its connection and is written next; aiohttp's tracing costs a tenth of a request.

    It gives out no connection on which something came that nobody had asked for. aiohttp would take it for the answer
    to the next request, and each answer from then on for that to the request behind it, which is another caller's.
    """

    async def connect(self, *given: Any, **named: Any) -> Connection:  # noqa: ANN401  aiohttp's
        """Connect, as ``aiohttp.BaseConnector`` does.

        Raises:
            aiohttp.ClientConnectionError: also where the server speaks first on every connection.
        """
        for _ in range(_TRIES):
            connection = await super().connect(*given, **named)
            if connection.protocol is None or not connection.protocol.should_close:
                note_sent()
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("it speaks before it is asked")


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
    connector = _NotingConnector(
        ssl=context,
        limit=limit,
        limit_per_host=limit_per_host,
        force_close=fresh,
        resolver=resolver,
        socket_factory=None if private else _open_guarded_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=connect_timeout, sock_read=None),
        trust_env=False,
        auto_decompress=False,
        raise_for_status=False,
        skip_auto_headers=("User-Agent", "Content-Type"),
        max_line_size=LONGEST_FIELD,
        max_field_size=LONGEST_FIELD,
    )


def _open_guarded_socket(info: Any) -> socket.socket:  # noqa: ANN401  aiohttp's AddrInfoType is not public
    """Make the socket for one address, or refuse; the address given here is the one connected to."""
    family, kind, protocol, _, address = info
    reason = None if is_proxied() else refusal(str(address[0]))
    if reason is not None:
        note_refused(f"{address[0]} is {reason}")
        raise _RefusedAddress(f"{address[0]} is {reason}")
    return socket.socket(family, kind, protocol)
