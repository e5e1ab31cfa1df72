"""Serving on sockets of a plugin's own, beside the gateway's, with the same deadlines and sizes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

import uvicorn

from latchpin.serving.listening import ServerConfig

__all__ = ["serve_aside"]

App = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]

GRACE_SECONDS = 5
"""For requests that are under way when it ends."""


@contextlib.asynccontextmanager
async def serve_aside(app: App, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve an ASGI application, whose lifespan is the caller's business, from here on until this is left.

    It runs in the caller's event loop, hears no signals, and closes the sockets in the end.

    Args:
        app: answers.
        sockets: bound already; they need not listen yet.
    """
    config = ServerConfig(app, lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS)
    server = _Server(config)
    task = asyncio.create_task(server.serve(list(sockets)))
    begun = asyncio.create_task(server.listens.wait())
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    try:
        if not server.listens.is_set():
            await task
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn's server, without a hand on the process: signals are the gateway's own server's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
