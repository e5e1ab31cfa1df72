"""The gateways' endpoints: administrators write, callers read what ``allowed_users`` lets them."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from latchpin.errors import InvalidRequest
from latchpin.gateways.book import GatewayBody, describe, parse_gateway_body
from latchpin.web.csrf import check_csrf
from latchpin.web.dependencies import application_of, check_gateway_id
from latchpin.web.identity import require_admin, require_caller
from latchpin.web.schemas import whole_schema

__all__ = ["router"]

router = APIRouter(prefix="/gateways", tags=["gateways"])

_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": whole_schema(GatewayBody)}}}
}

_ISSUER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"issuer": {"type": "string"}}, "required": ["issuer"]}
            }
        },
    }
}


@router.get("")
async def list_gateways(request: Request) -> dict[str, Any]:
    """The gateways that the caller may use, oldest first."""
    caller = await require_caller(request)
    gateways = [describe(each, caller) for each in await application_of(request).gateways.list(caller)]
    return {"gateways": gateways, "total": len(gateways)}


@router.post("", status_code=201, response_model=None, openapi_extra=_BODY)
async def create_gateway(request: Request) -> Response:
    """Create a gateway; a URL is enough."""
    caller = await require_admin(request)
    await check_csrf(request, caller)
    gateway = await application_of(request).gateways.create(await _read(request), caller)
    location = f"{application_of(request).services.settings.base_url}/gateways/{gateway.id}"
    return JSONResponse(describe(gateway, caller), status_code=201, headers={"location": location})


@router.get("/{gateway_id}")
async def get_gateway(request: Request, gateway_id: str) -> dict[str, Any]:
    """One gateway, without secrets."""
    caller = await require_caller(request)
    return describe(await application_of(request).gateways.get(check_gateway_id(gateway_id), caller), caller)


@router.put("/{gateway_id}", openapi_extra=_BODY)
async def change_gateway(request: Request, gateway_id: str) -> dict[str, Any]:
    """Change a gateway: an absent key keeps what is there, null clears it."""
    caller = await require_admin(request)
    await check_csrf(request, caller)
    body = await _read(request)
    return describe(await application_of(request).gateways.change(check_gateway_id(gateway_id), body, caller), caller)


@router.delete("/{gateway_id}")
async def delete_gateway(request: Request, gateway_id: str) -> dict[str, Any]:
    """Remove a gateway with its tokens, tools and registered clients, and ask their servers to revoke and forget."""
    caller, application = await require_admin(request), application_of(request)
    await check_csrf(request, caller)
    return (await application.removal.remove(check_gateway_id(gateway_id), caller)).describe()


@router.get("/{gateway_id}/discovery")
async def inspect_gateway(request: Request, gateway_id: str) -> dict[str, Any]:
    """What discovery finds now, from where, and what follows; nothing is registered or pinned."""
    caller, application = await require_admin(request), application_of(request)
    gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    return await application.inspector.inspect(gateway)


@router.post("/{gateway_id}/issuer", openapi_extra=_ISSUER)
async def confirm_issuer(request: Request, gateway_id: str) -> dict[str, Any]:
    """Confirm that the MCP server has moved to another issuer; every user authorizes anew."""
    caller, application = await require_admin(request), application_of(request)
    await check_csrf(request, caller)
    document = await _read_json(request)
    issuer = document.get("issuer") if isinstance(document, dict) else None
    if not isinstance(issuer, str) or not issuer:
        raise InvalidRequest('the body must be JSON such as {"issuer": "https://as.example.com"}')
    return describe(await application.confirm_issuer(check_gateway_id(gateway_id), issuer, caller), caller)


@router.get("/{gateway_id}/tools")
async def list_tools(request: Request, gateway_id: str) -> dict[str, Any]:
    """The tools that the caller fetched, by name."""
    caller, application = await require_caller(request), application_of(request)
    gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    tools = [dict(tool.definition) for tool in await application.toolbox.stored(gateway, caller)]
    return {"tools": tools, "total": len(tools)}


async def _read(request: Request) -> GatewayBody:
    return parse_gateway_body(await _read_json(request))


async def _read_json(request: Request) -> object:
    try:
        document: object = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("the body is not JSON") from exc
    return document
