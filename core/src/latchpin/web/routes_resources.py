"""The metadata of the MCP endpoints that plugins serve, as protected resources."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from latchpin.errors import NotFound
from latchpin.web.description import problems
from latchpin.web.identity import services_of
from latchpin.web.protected import WELL_KNOWN, build_resource_metadata

__all__ = ["router"]

router = APIRouter(tags=["metadata"])


@router.get(
    WELL_KNOWN + "/{path:path}",
    summary="Read an MCP endpoint's metadata as a protected resource",
    response_model=None,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404)},
)
async def show_metadata(request: Request, path: str) -> Response:
    """Describe an MCP endpoint as a protected resource (RFC 9728 section 3). Public, and the same for every id.

    BASE_URL's path prefix may be there (as the RFC has it) or not (a proxy in front serves only the prefix).
    """
    services = services_of(request)
    settings = services.settings
    below = ("/" + path.strip("/")).removeprefix(settings.base_path)
    if not any(each.names(below) for each in services.protected_resources):
        raise NotFound("there is no protected resource of that path")
    issuers = [issuer for each in services.identities if (issuer := getattr(each, "issuer", None))]
    return JSONResponse(build_resource_metadata(settings, below, issuers))
