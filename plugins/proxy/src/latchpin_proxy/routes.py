"""The router with the MCP endpoint and the links that lead to authorizations."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.sdk.sign_in import not_in_advance
from latchpin.sdk.web import (
    CurrentApplication,
    GatewayId,
    HotRoute,
    SignedInPerson,
    StreamingRoute,
)

from latchpin_proxy.bindings import Bindings
from latchpin_proxy.endpoint import METHODS, McpEndpoint, Receive, Scope, Send, open_endpoint
from latchpin_proxy.resource import LINK, PATH, check_link

__all__ = ["make_router"]


class _McpRoute(StreamingRoute, HotRoute):
    """What every MCP message passes."""


@not_in_advance
async def follow_link(
    request: Request, gateway_id: GatewayId, caller: SignedInPerson, application: CurrentApplication
) -> Response:
    """Lead the person for whom a link was made on to the authorization, and nobody else."""
    person = request.path_params["person"]
    services = application.services
    gateway = await application.gateways.get(gateway_id, caller)
    check_link(person, await Bindings(services.kept, services.cipher).of(gateway, caller))
    return RedirectResponse(services.settings.authorize_url(gateway_id), 303)


class _Place:
    """Where the endpoint is reached, from the application's start on."""

    _endpoint: McpEndpoint

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the endpoint."""
        self._endpoint = await open_endpoint(app.state.application)
        yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._endpoint(scope, receive, send)


def make_router() -> APIRouter:
    """A router of its own for each application: it opens the endpoint's way out, and closes it."""
    place = _Place()
    router = APIRouter(lifespan=place.lifespan)
    router.routes.append(_McpRoute(PATH, place, methods=METHODS))
    router.add_api_route(LINK, follow_link, methods=["GET"], include_in_schema=False)
    return router
