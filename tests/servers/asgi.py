"""Any ASGI application on a real uvicorn in a thread of its own, on a port of the system's choosing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, Literal

import uvicorn

from tests.servers.processes import DEADLINE, HOST, NotReady

__all__ = ["serve_asgi"]


class _Server(uvicorn.Server):
    """Says when its start is over, well or badly, and stops at once: uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.001)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """End ``main_loop``. May be called by any thread, also after the end."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)


@contextlib.contextmanager
def serve_asgi(
    app: Any,
    *,
    lifespan: Literal["auto", "on", "off"] = "auto",
    timeout: float = DEADLINE,
    sock: socket.socket | None = None,
    config_class: type[uvicorn.Config] = uvicorn.Config,
    **options: Any,
) -> Iterator[str]:
    """Serve ``app`` and give its base URL (``http://127.0.0.1:port``) until the block ends.

    Args:
        app: the application; its lifespan runs in the server's thread and event loop.
        lifespan: as uvicorn understands it.
        timeout: seconds for start and for stop.
        sock: a bound socket, where the app must know its own port before it is made.
        config_class: a kind of uvicorn's configuration.
        options: what else it is made with.

    Raises:
        NotReady: the application's start failed.
    """
    if sock is None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind((HOST, 0))
    config = config_class(
        app,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        **options,
    )
    server = _Server(config)
    thread = threading.Thread(target=_run, args=(server, sock), name="uvicorn", daemon=True)
    thread.start()
    try:
        if not server.settled.wait(timeout) or not server.started:
            raise NotReady(f"uvicorn could not start {app!r}")
        yield f"http://{HOST}:{sock.getsockname()[1]}"
    finally:
        server.stop()
        thread.join(timeout)
        sock.close()


def _run(server: _Server, sock: socket.socket) -> None:
    try:
        with contextlib.suppress(SystemExit):  # how uvicorn reports a failed start
            server.run(sockets=[sock])
    finally:
        server.settled.set()
