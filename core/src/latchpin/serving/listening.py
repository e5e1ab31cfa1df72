"""How long a connection may keep its place, and how many there may be: what no ASGI application can see to.

An application is called when a request's head is there. Until then a connection costs memory and a descriptor, and
who holds enough of them shuts everybody out. Here a head has its deadline and its size, and when all places are taken
the connection that has asked nothing for longest makes room.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from latchpin.serving.heads import HeadFirst
from latchpin.serving.served import OnlyHealth, Served

__all__ = ["BoundedConnection", "ServerConfig", "fit_descriptors"]

_log = logging.getLogger("latchpin.serve")

HEAD_SECONDS = 10.0
"""From a connection's beginning, or a later request's first byte, to the end of the request's head."""
HEAD_BYTES = 128 * 1024
"""More than the guard allows for URL and header fields together: it refuses with words, this only stops."""
KEEP_ALIVE_SECONDS = 75
"""Longer than the proxies and clients in front keep a connection (60 s and less), so that they are those who close:
a request that is on its way when we close is lost."""
GRACE_SECONDS = 0.05
"""From a deadline to the end: a busy loop sees the time before it sees the bytes that came in time."""
LINGER_SECONDS = 1.0
"""For a client to read a refusal: closing at once, with its bytes unread, would take the answer away from it."""
RESERVE = 16
"""Places over the limit, in which only /health and /ready are answered."""
COMPLAINT_SECONDS = 60.0
OTHER_DESCRIPTORS = 64
"""For the stores, the log and the interpreter."""


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration, with what all sockets of the gateway have in common.

    Attributes:
        max_connections: how many one process takes.
    """

    max_connections: int = 2048

    def __init__(self, app: Any, **options: Any) -> None:  # noqa: ANN401  what uvicorn takes
        house: dict[str, Any] = {
            "http": BoundedConnection,
            "ws": "none",
            "access_log": False,  # uvicorn's prints the callback's query; ours does not
            "proxy_headers": False,  # or any peer could name any address
            "server_header": False,
            "log_config": None,
            "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        }
        super().__init__(app, **house | options)

    def load(self) -> None:
        """Load the application, to be served as ``Served`` says."""
        super().load()
        self.loaded_app = Served(self.loaded_app)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection with deadlines and a place among a bounded number."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._places = _places_of(server_state, config)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._refused = False
        self._unanswered: deque[tuple[RequestResponseCycle, HeadFirst]] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a place."""
        super().connection_made(transport)
        self._places.admit(self)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._places.forget(self)
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self._stop_answers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; count and time what is not yet a whole head."""
        if self._refused or self.transport.is_closing():
            return
        before = self.cycle
        waited = before is None or before.response_complete or not before.more_body
        super().data_received(data)
        if not waited or self.cycle is not before or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large", "The request's head is too large.")
        elif self._head_timer is None and (before is None or before.response_complete):
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        """Begin a request: the connection is no longer one that asks nothing."""
        self._stop_head_timer()
        self._head_bytes = 0
        self._places.leave(self)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            answer = self.cycle.transport = HeadFirst(self.transport, self.loop, self.cycle)
            self._unanswered.append((self.cycle, answer))

    def on_response_complete(self) -> None:
        """Count as one that asks nothing again, unless the next request is here."""
        _, answer = self._unanswered.popleft()
        answer.flush()
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._places.wait(self)

    def timeout_keep_alive_handler(self) -> None:
        """Look once more for a request before hanging up."""
        self.timeout_keep_alive_task = self.loop.call_later(GRACE_SECONDS, self.hang_up)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(b"400 Bad Request", msg)

    def hang_up(self) -> None:
        """Close; a peer that takes no answers is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._look_once_more)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _look_once_more(self) -> None:
        self._head_timer = self.loop.call_later(GRACE_SECONDS, self._end_waiting)

    def _end_waiting(self) -> None:
        _log.debug("A connection asked nothing whole within %g s", HEAD_SECONDS)
        if self._head_bytes:
            self._refuse(b"408 Request Timeout", "The request's head did not arrive in time.")
        else:
            self.hang_up()

    def _stop_answers(self) -> None:
        """Tell whatever serves a request here that nobody reads its answer: uvicorn tells the last one only."""
        for cycle, _ in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self._unanswered.clear()

    def _refuse(self, status: bytes, text: str) -> None:
        """Say the last word, unless an answer has begun, and give the client a moment to read it."""
        begun = any(cycle.response_started for cycle, _ in self._unanswered)
        self._stop_answers()
        self._refused = True
        self._stop_head_timer()
        if begun:  # whoever reads it would take these words for a part of it
            self.hang_up()
            return
        body = text.encode()
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n"
        self.transport.write(head % (status, len(body)) + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.hang_up)


class _Places:
    """The connections of one process: how many there may be, and who waits for a request, the longest waiting first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._present: set[BoundedConnection] = set()
        self._waiting: dict[BoundedConnection, None] = {}
        self._complained = float("-inf")

    def admit(self, newcomer: BoundedConnection) -> None:
        """Find a place: at the cost of who asks nothing, else in the reserve, else nowhere."""
        if len(self._present) >= self._limit:
            self._complain(newcomer.loop.time())
            if (longest := next(iter(self._waiting), None)) is not None:
                self.forget(longest)
                longest.hang_up()
        if len(self._present) >= self._limit + RESERVE:
            newcomer.transport.abort()
            return
        if len(self._present) >= self._limit:
            newcomer.app = OnlyHealth(newcomer.app)
        self._present.add(newcomer)
        self.wait(newcomer)

    def wait(self, connection: BoundedConnection) -> None:
        """Note that it asks nothing from now on."""
        if connection in self._present:
            self._waiting[connection] = None

    def leave(self, connection: BoundedConnection) -> None:
        """Note that it asks something."""
        self._waiting.pop(connection, None)

    def forget(self, connection: BoundedConnection) -> None:
        """Note that it is gone, or as good as gone."""
        self._waiting.pop(connection, None)
        self._present.discard(connection)

    def _complain(self, now: float) -> None:
        if now - self._complained < COMPLAINT_SECONDS:
            return
        self._complained = now
        _log.warning(
            "All %d connections of this process are taken: for each new one, that which asked nothing for longest is "
            "closed, and where all are busy only /health and /ready are answered; raise MAX_CONNECTIONS (and the "
            "limit of open files), or let a proxy in front hold them",
            self._limit,
        )


_PLACES: WeakKeyDictionary[ServerState, _Places] = WeakKeyDictionary()


def _places_of(state: ServerState, config: uvicorn.Config) -> _Places:
    if state not in _PLACES:
        _PLACES[state] = _Places(getattr(config, "max_connections", ServerConfig.max_connections))
    return _PLACES[state]


def fit_descriptors(wanted: int) -> int:
    """Raise this process's limit of open files as far as it goes; return how many of the connections then fit.

    A connection may need a second descriptor, for the server that it is about.
    """
    with contextlib.suppress(ImportError):  # systems without it have no such limit
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 2 * wanted + OTHER_DESCRIPTORS
        if soft == resource.RLIM_INFINITY or soft >= needed:
            return wanted
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        return max(RESERVE, min(wanted, (soft - OTHER_DESCRIPTORS) // 2))
    return wanted
