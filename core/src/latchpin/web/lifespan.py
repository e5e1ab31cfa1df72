"""An expected failure to start is one line with its remedy, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.errors import LatchpinError

__all__ = ["StartupErrorFilter"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class StartupErrorFilter:
    """A plain ASGI middleware for the lifespan only: it takes the traceback out of a failure that we explained.

    The framework reports a failed start while it handles the exception, and puts the traceback into the message
    that the server logs.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_quietly(message: Message) -> None:
            if message["type"].endswith(".failed") and isinstance(sys.exc_info()[1], LatchpinError):
                message = {**message, "message": ""}
            await send(message)

        await self._app(scope, receive, send_quietly)
