"""The router of an MCP endpoint: ahead of the framework, with bodies that it limits itself, opened with the gateway."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException

from latchpin.application import Application
from latchpin.web.dispatch import HotRoute
from latchpin.web.limits import StreamingRoute

__all__ = ["make_mcp_router"]

App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[MutableMapping[str, Any]], Awaitable[None]]],
    Awaitable[None],
]

_METHODS = ("POST", "GET", "DELETE")
"""What an MCP endpoint is asked by (Streamable HTTP)."""


class _McpRoute(StreamingRoute, HotRoute):
    """What every MCP message passes."""


class _Opened:
    """Answer a program's MCP message.

    The application that does is there from the gateway's start on.
    """

    _app: App

    def __init__(self, open_app: Callable[[Application], AbstractAsyncContextManager[App]]) -> None:
        self._open = open_app

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open it, and close it with the gateway."""
        async with self._open(app.state.application) as self._app:
            yield

    async def __call__(self, scope: MutableMapping[str, Any], *others: Any) -> None:  # noqa: ANN401  ASGI's
        """Serve one request."""
        if scope["method"] not in _METHODS:  # the framework lets HEAD in wherever GET is
            raise HTTPException(405, headers={"allow": ", ".join(_METHODS)})
        await self._app(scope, *others)


def make_mcp_router(
    path: str, open_app: Callable[[Application], AbstractAsyncContextManager[App]], *more: str
) -> APIRouter:
    """A router for ``latchpin_routes``: one for each application.

    Args:
        path: as Starlette has it; it begins with a fixed segment.
        open_app: gives the plain ASGI application that answers POST, GET and DELETE there, for as long as the gateway
            runs. Other methods are answered with 405.
        more: further paths of the same application.
    """
    opened = _Opened(open_app)
    router = APIRouter(lifespan=opened.lifespan)
    router.routes += [_McpRoute(each, opened, methods=_METHODS) for each in (path, *more)]
    return router
