"""The router with the MCP endpoint and its metadata."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from latchpin.errors import NotFound
from latchpin.sdk.sign_in import not_in_advance
from latchpin.sdk.web import (
    CurrentApplication,
    GatewayId,
    HotRoute,
    SignedInPerson,
    StreamingRoute,
    check_gateway_id,
    problems,
    services_of,
)

from latchpin_proxy.bindings import Bindings
from latchpin_proxy.endpoint import METHODS, McpEndpoint
from latchpin_proxy.resource import LINK, PATH, WELL_KNOWN, build_metadata, check_link, parse_resource_path

__all__ = ["make_router"]


class _McpRoute(StreamingRoute, HotRoute):
    """What every MCP message passes."""


async def show_metadata(request: Request, path: str) -> Response:
    """Describe an MCP endpoint as a protected resource (RFC 9728 section 3). Public, and the same for every id."""
    services = services_of(request)
    settings = services.settings
    gateway_id = parse_resource_path(path, settings.base_path)
    if gateway_id is None:
        raise NotFound("there is no protected resource of that path")
    issuers = [issuer for each in services.identities if (issuer := getattr(each, "issuer", None))]
    return JSONResponse(build_metadata(settings, check_gateway_id(gateway_id), issuers))


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


def make_router() -> APIRouter:
    """A router of its own for each application: it opens the endpoint's way out, and closes it."""
    endpoint = McpEndpoint()
    router = APIRouter(lifespan=endpoint.lifespan)
    router.routes.append(_McpRoute(PATH, endpoint, methods=METHODS))
    router.add_api_route(
        WELL_KNOWN + "/{path:path}",
        show_metadata,
        methods=["GET"],
        tags=["metadata"],
        summary="Read an MCP endpoint's metadata as a protected resource",
        response_model=None,
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404)},
    )
    router.add_api_route(LINK, follow_link, methods=["GET"], include_in_schema=False)
    return router
