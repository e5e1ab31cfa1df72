"""An application as this server serves it: who asks for its health comes first, also when all places are taken."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from latchpin.activity.access_lines import access_lines
from latchpin.workers.turns import turn

__all__ = ["OnlyHealth", "Served"]

URGENT = ("/health", "/ready")
"""What the paths end with that are always served, and at once: who asks there judges whether this process lives."""

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Served:
    """An application as this server serves it.

    While it runs, its access lines are written together. Requests begin in turns, except where somebody asks for its
    health.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            with access_lines.gathered():
                await self._app(scope, receive, send)
            return
        if not scope["path"].endswith(URGENT):
            await turn(new=True)
        await self._app(scope, receive, send)


class OnlyHealth:
    """An application while all places are taken: it answers whether the gateway lives, and nothing else."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
        """Answer 503 to everything that can wait."""
        if scope["path"].endswith(URGENT):
            await self._app(scope, receive, send)
            return
        title, detail = "Too many connections", "All connections of this gateway are busy. Try again in a moment."
        body = json.dumps({"type": "about:blank", "title": title, "status": 503, "detail": detail}).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", b"5"),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
