"""The router with the MCP endpoint and the links that lead to authorizations."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.sdk.gateway import Application
from latchpin.sdk.sign_in import not_in_advance
from latchpin.sdk.web import CurrentApplication, GatewayId, SignedInPerson, make_mcp_router, parse_account

from latchpin_proxy.authorize_links import LINK, check_link
from latchpin_proxy.bindings import Bindings
from latchpin_proxy.endpoint import McpEndpoint, open_endpoint
from latchpin_proxy.resource import PATH

__all__ = ["make_router"]


@not_in_advance
async def follow_link(
    request: Request, gateway_id: GatewayId, caller: SignedInPerson, application: CurrentApplication
) -> Response:
    """Lead the person for whom a link was made on to the authorization, and nobody else."""
    person, account = request.path_params["person"], parse_account(request.url.query) or ""
    services, caller = application.services, replace(caller, account=account)
    gateway = await application.gateways.get(gateway_id, caller)
    check_link(person, await Bindings(services.kept, services.cipher).of(gateway, caller))
    return RedirectResponse(services.settings.authorize_url(gateway_id, account), 303)


@contextlib.asynccontextmanager
async def _open(application: Application) -> AsyncIterator[McpEndpoint]:
    yield await open_endpoint(application)


def make_router() -> APIRouter:
    """A router of its own for each application."""
    router = make_mcp_router(PATH, _open)
    router.add_api_route(LINK, follow_link, methods=["GET"], include_in_schema=False)
    return router
