"""Where the demo's servers may be reached: on this machine, by processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from latchpin.errors import SettingsError
from latchpin.sdk.urls import is_loopback_host
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["LoopbackOnly", "bind", "serving", "url_of"]

_GRACE_SECONDS = 2


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Open a listening socket on loopback; port 0 takes a free one.

    Raises:
        SettingsError: ``host`` can mean something other than this machine.
        OSError: the port is taken.
    """
    if not is_loopback_host(host):
        raise SettingsError(
            f"The demo's servers publish their users' password and listen on loopback only, not on {host}.",
            remedy="Use 127.0.0.1, or 'latchpin serve' for a gateway that others can reach.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family)


def url_of(listener: socket.socket) -> str:
    """The http origin of a socket made by ``bind``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LoopbackOnly:
    """Refuses peers and host names that are not this machine's, whatever the socket was bound to.

    The host name is looked at because a page on another site can make its own name point here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if both ends are loopback, else answer 403."""
        if scope["type"] == "http" and not self._is_local(scope):
            refusal = PlainTextResponse("This is a demo server. It answers on loopback only.\n", status_code=403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    @staticmethod
    def _is_local(scope: Scope) -> bool:
        peer = scope.get("client")
        host = Headers(scope=scope).get("host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        return peer is not None and is_loopback_host(peer[0]) and is_loopback_host(name)


class _Server(uvicorn.Server):
    """A server among several in one loop: it says when its start is over and leaves the signals to its owner."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # how uvicorn says that the application did not start; it would end the owner too
            self.should_exit = True
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[str]:
    """Serve ``app`` on ``listener`` (which it closes) until the block ends; gives the origin.

    Raises:
        RuntimeError: the application did not start.
    """
    origin = url_of(listener)
    config = uvicorn.Config(
        LoopbackOnly(app),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        if not server.started:
            raise RuntimeError(f"The demo server at {origin} did not start.")
        yield origin
    finally:
        server.should_exit = True
        await task
        listener.close()
