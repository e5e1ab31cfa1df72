"""What Latchpin finds: one router with the MCP endpoint and its metadata."""

from __future__ import annotations

import latchpin
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from latchpin.contracts import NavigationEntry, ProtectedResources
from latchpin.errors import NotFound
from latchpin.sdk.sign_in import not_in_advance
from latchpin.sdk.web import (
    CurrentApplication,
    GatewayId,
    SignedInPerson,
    StreamingRoute,
    check_gateway_id,
    problems,
    services_of,
)

from latchpin_proxy.bindings import Bindings
from latchpin_proxy.endpoint import METHODS, McpEndpoint
from latchpin_proxy.resource import WELL_KNOWN, build_metadata, check_link, parse_resource_path
from latchpin_proxy.resources import find_resource, list_resources
from latchpin_proxy.settings import ProxySettings

__all__ = ["latchpin_navigation", "latchpin_protected_resources", "latchpin_routes", "latchpin_settings"]

_PATH = "/gateways/{gateway_id}/mcp"
_LINK = "/oauth/authorize/{gateway_id}/for/{person}"


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


@latchpin.hookimpl
def latchpin_settings() -> list[type[ProxySettings]]:
    """Name the variables of the MCP endpoint."""
    return [ProxySettings]


@latchpin.hookimpl
def latchpin_routes() -> list[APIRouter]:
    """Offer the MCP endpoint."""
    endpoint = McpEndpoint()
    router = APIRouter(lifespan=endpoint.lifespan)
    router.routes.append(StreamingRoute(_PATH, endpoint, methods=list(METHODS)))
    router.add_api_route(
        WELL_KNOWN + "/{path:path}",
        show_metadata,
        methods=["GET"],
        tags=["metadata"],
        summary="Read an MCP endpoint's metadata as a protected resource",
        response_model=None,
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404)},
    )
    router.add_api_route(_LINK, follow_link, methods=["GET"], include_in_schema=False)
    return [router]


@latchpin.hookimpl
def latchpin_navigation() -> list[NavigationEntry]:
    """Say where MCP clients reach a gateway, for the pages that show it."""
    return [NavigationEntry("MCP endpoint", _PATH, place="endpoint")]


@latchpin.hookimpl
def latchpin_protected_resources() -> list[ProtectedResources]:
    """Name the endpoints, so that clients can get tokens for them."""
    return [ProtectedResources(find_resource, list_resources)]
