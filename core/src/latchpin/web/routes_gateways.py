"""The gateways' endpoints: administrators write, callers read what ``allowed_users`` lets them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from latchpin.gateways.entered import parse_body
from latchpin.gateways.registry import GatewayBody, describe_gateway, parse_gateway_body
from latchpin.web.dependencies import (
    CurrentApplication,
    GatewayId,
    SignedInCaller,
    WritingAdmin,
)
from latchpin.web.description import problems
from latchpin.web.documents.gateways import GatewayDocument, GatewayList, GatewayRemoved, ToolList
from latchpin.web.json_bodies import read_json
from latchpin.web.schemas import takes_json

__all__ = ["router"]


class IssuerBody(BaseModel):
    """The issuer that the MCP server names now."""

    issuer: Annotated[str, Field(min_length=1, json_schema_extra={"format": "uri"})]


router = APIRouter(prefix="/gateways", tags=["gateways"])

_BODY = takes_json(GatewayBody)


@router.get("", summary="List gateways", response_model=GatewayList, response_model_exclude_unset=True)
async def list_gateways(caller: SignedInCaller, application: CurrentApplication) -> dict[str, Any]:
    """The gateways that the caller may use, oldest first."""
    gateways = [describe_gateway(each, caller) for each in await application.gateways.list(caller)]
    return {"gateways": gateways, "total": len(gateways)}


@router.post(
    "",
    summary="Create a gateway",
    status_code=201,
    response_model=GatewayDocument,
    response_model_exclude_unset=True,
    responses={201: {"headers": {"location": {"description": "The gateway's URL.", "schema": {"type": "string"}}}}},
    openapi_extra=_BODY,
)
async def create_gateway(
    request: Request, response: Response, caller: WritingAdmin, application: CurrentApplication
) -> dict[str, Any]:
    """Create a gateway; a URL is enough."""
    gateway = await application.gateways.create(await _read(request), caller)
    response.headers["location"] = f"{application.services.settings.base_url}/gateways/{gateway.id}"
    return describe_gateway(gateway, caller)


@router.get(
    "/{gateway_id}",
    summary="Read a gateway",
    response_model=GatewayDocument,
    response_model_exclude_unset=True,
    responses=problems(404),
)
async def get_gateway(caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId) -> dict[str, Any]:
    """One gateway, without secrets."""
    return describe_gateway(await application.gateways.get(gateway_id, caller), caller)


@router.put(
    "/{gateway_id}",
    summary="Change a gateway",
    response_model=GatewayDocument,
    response_model_exclude_unset=True,
    responses=problems(404, 409),
    openapi_extra=_BODY,
)
async def change_gateway(
    request: Request, caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Change a gateway: an absent key keeps what is there, null clears it."""
    return describe_gateway(await application.gateways.change(gateway_id, await _read(request), caller), caller)


@router.delete("/{gateway_id}", summary="Remove a gateway", response_model=GatewayRemoved, responses=problems(404, 409))
async def delete_gateway(
    caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Remove a gateway with its tokens, tools and registered clients, and ask their servers to revoke and forget."""
    return (await application.removal.remove(gateway_id, caller)).describe()


@router.post(
    "/{gateway_id}/issuer",
    summary="Confirm a new issuer",
    response_model=GatewayDocument,
    response_model_exclude_unset=True,
    responses=problems(404, 409, 502, 504),
    openapi_extra=takes_json(IssuerBody),
)
async def confirm_issuer(
    request: Request, caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Confirm that the MCP server has moved to another issuer; every user authorizes anew."""
    body = parse_body(IssuerBody, await read_json(request), example='{"issuer": "https://as.example.com"}')
    return describe_gateway(await application.confirm_issuer(gateway_id, body.issuer, caller), caller)


@router.get("/{gateway_id}/tools", summary="List a gateway's tools", response_model=ToolList, responses=problems(404))
async def list_tools(caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId) -> dict[str, Any]:
    """The tools that the caller fetched, by name."""
    gateway = await application.gateways.get(gateway_id, caller)
    tools = [dict(tool.definition) for tool in await application.toolbox.stored(gateway, caller)]
    return {"tools": tools, "total": len(tools)}


async def _read(request: Request) -> GatewayBody:
    return parse_gateway_body(await read_json(request))
