"""The router with the one endpoint."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI
from latchpin.sdk.web import HotRoute, StreamingRoute

from latchpin_aggregator.endpoint import METHODS, OneEndpoint, Receive, Scope, Send, open_endpoint
from latchpin_aggregator.resource import PATH

__all__ = ["make_router"]


class _McpRoute(StreamingRoute, HotRoute):
    """What every MCP message passes."""


class _Place:
    """Where the endpoint is reached, from the application's start on."""

    _endpoint: OneEndpoint

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the endpoint, and close it."""
        async with open_endpoint(app.state.application) as self._endpoint:
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._endpoint(scope, receive, send)


def make_router() -> APIRouter:
    """A router of its own for each application."""
    place = _Place()
    router = APIRouter(lifespan=place.lifespan)
    router.routes.append(_McpRoute(PATH, place, methods=METHODS))
    return router
