"""The OAuth endpoints for API callers and forms: status, fetch-tools, disconnect, registered clients."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from latchpin.application import Application
from latchpin.errors import InvalidRequest, NotFound
from latchpin.identity.address import parse_email
from latchpin.model import COMPANY, Caller, RegisteredClient
from latchpin.model.facts import FACTS
from latchpin.web import pages
from latchpin.web.dependencies import (
    AccountNamed,
    AdminCaller,
    CurrentApplication,
    GatewayId,
    SignedInCaller,
    WritingAdmin,
    WritingCaller,
    check_gateway_id,
)
from latchpin.web.description import HTML, problems
from latchpin.web.documents.connections import (
    ConnectionList,
    Disconnected,
    EverythingDisconnected,
    GatewayStatus,
    Message,
    RegisteredClientDeleted,
    RegisteredClientDocument,
    RegisteredClientList,
)
from latchpin.web.documents.gateways import FetchedTools
from latchpin.web.errors import wants_html
from latchpin.web.frame import frame, mcp_url_of
from latchpin.web.traces import FLOW_ID

__all__ = ["router"]

router = APIRouter(prefix="/oauth")

_CONNECTIONS = "connections"
_CLIENTS = "registered clients"

MAX_STATUSES = 100


@router.get(
    "/status",
    tags=[_CONNECTIONS],
    summary="Ask how several gateways are for the caller",
    response_model=list[GatewayStatus],
    response_model_exclude_unset=True,
)
async def get_statuses(
    caller: SignedInCaller, application: CurrentApplication, gateway_ids: Annotated[list[str], Query()]
) -> list[dict[str, Any]]:
    """The status of several gateways for the caller, at most 100; those it may not know of are left out."""
    if len(gateway_ids) > MAX_STATUSES:
        raise InvalidRequest(f"{len(gateway_ids)} gateway_ids were given; the limit is {MAX_STATUSES}")
    found = await asyncio.gather(*(_status_or_none(application, gateway_id, caller) for gateway_id in gateway_ids))
    return [status for status in found if status is not None]


@router.get(
    "/status/{gateway_id}",
    tags=[_CONNECTIONS],
    summary="Ask how a gateway is for the caller",
    response_model=GatewayStatus,
    response_model_exclude_unset=True,
    responses=problems(404),
)
async def get_status(caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId) -> dict[str, Any]:
    """How a gateway does OAuth, and how the caller's own token is."""
    gateway = await application.gateways.get(gateway_id, caller)
    return await application.status.describe(gateway, caller)


@router.post(
    "/fetch-tools/{gateway_id}",
    tags=[_CONNECTIONS],
    summary="Fetch a gateway's tools",
    response_model=None,
    responses={200: {"model": FetchedTools, "content": HTML}, **problems(404, 429, 502, 504)},
)
async def fetch_tools(
    request: Request, caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Fetch the MCP server's tools with the caller's own token and keep them for this caller."""
    gateway = await application.gateways.get(gateway_id, caller)
    fetched = await application.toolbox.fetch(gateway, caller)
    if fetched.flow_id is not None:
        request.scope[FLOW_ID] = fetched.flow_id
    if wants_html(request):
        tools = pages.shown_tools(await application.toolbox.stored(gateway, caller))
        around = await frame(request, caller)
        return pages.fetched(fetched, tools, around=around, mcp_url=mcp_url_of(request, gateway.id))
    return JSONResponse(fetched.describe())


@router.get(
    "/tokens",
    tags=[_CONNECTIONS],
    summary="List connections",
    response_model=ConnectionList,
    responses=problems(404),
)
async def list_connections(
    caller: SignedInCaller, application: CurrentApplication, user: str | None = None, gateway_id: str | None = None
) -> dict[str, Any]:
    """Who is connected to what, and how well: the caller's own, for administrators everybody's."""
    found = await application.connections.list(
        caller,
        user=None if user is None else parse_email(user),
        gateway_id=None if gateway_id is None else check_gateway_id(gateway_id),
    )
    return {"connections": [each.describe() for each in found], "total": len(found)}


@router.delete(
    "/tokens",
    tags=[_CONNECTIONS],
    summary="Disconnect a user from everything",
    response_model=EverythingDisconnected,
)
async def delete_tokens(caller: WritingCaller, application: CurrentApplication, user: str) -> dict[str, Any]:
    """Disconnect a user from everything, as when somebody leaves; one's own, for administrators anybody's."""
    owner = parse_email(user)
    with application.services.activity.hearing() as facts:
        ended = [
            {"gateway_id": each.gateway.id, "gateway_name": each.gateway.name, "authorization_server": each.answer}
            async for each in application.connections.disconnect_everything(owner, caller)
        ]
    besides = [
        {"fact": fact.name, "details": {name: str(value) for name, value in fact.details.items()}}
        for fact in facts
        if fact.subject == owner and fact.name not in FACTS
    ]
    stay = await application.connections.shared_by(owner) if caller.is_admin else []
    message = f"Disconnected {owner} from {len({each['gateway_id'] for each in ended})} gateways"
    if stay:
        message += f"; what they connected for all stays: {', '.join(each.gateway.name for each in stay)}"
    if besides:
        message += f"; ended besides: {len(besides)}"
    return {
        "success": True,
        "message": message,
        "signed_out": caller.is_admin,
        "connections": ended,
        "stay": [{"gateway_id": each.gateway.id, "gateway_name": each.gateway.name} for each in stay],
        "besides": besides,
    }


@router.delete(
    "/tokens/{gateway_id}",
    tags=[_CONNECTIONS],
    summary="Disconnect from a gateway",
    response_model=Disconnected,
    responses=problems(404),
)
async def delete_token(
    caller: WritingCaller,
    application: CurrentApplication,
    gateway_id: GatewayId,
    account: AccountNamed,
    *,
    user: str | None = None,
) -> dict[str, Any]:
    """Disconnect: revoke the token upstream where offered, and delete it here.

    ``user`` is for administrators; ``(company)`` is the account that all share. ``account`` names one of several by its
    label, and empty the one without a label; without it the default one ends.
    """
    return await _disconnect(application, gateway_id, caller, user, account)


@router.put(
    "/tokens/{gateway_id}/default",
    tags=[_CONNECTIONS],
    summary="Choose the default account at a gateway",
    response_model=Message,
    responses=problems(404),
)
async def choose_default(
    caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId, account: AccountNamed
) -> dict[str, Any]:
    """Choose which of the caller's accounts serves where a program names none; empty: the one without a label."""
    label = account or ""
    await application.connections.choose(gateway_id, label, caller)
    return {"success": True, "message": f"{label or 'The account without a label'} is the default now"}


@router.post("/tokens/{gateway_id}/disconnect", include_in_schema=False)
async def disconnect(
    caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId, account: AccountNamed
) -> Response:
    """Disconnect from a form, which cannot send DELETE."""
    await _disconnect(application, gateway_id, caller, None, account)
    return RedirectResponse(f"{application.services.settings.base_url}/admin/gateways", 303)


@router.get(
    "/registered-clients",
    tags=[_CLIENTS],
    summary="List registered clients",
    response_model=RegisteredClientList,
)
async def list_clients(_caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:
    """All clients that authorization servers registered for this gateway."""
    rows = await application.services.records.clients.list()
    return {"clients": [_describe(row) for row in rows], "total": len(rows)}


@router.get(
    "/registered-clients/{gateway_id}",
    tags=[_CLIENTS],
    summary="Read a gateway's registered client",
    response_model=RegisteredClientDocument,
    responses=problems(404),
)
async def get_client(_caller: AdminCaller, application: CurrentApplication, gateway_id: GatewayId) -> dict[str, Any]:
    """The client registered for one gateway (the newest, if it moved between servers)."""
    rows = await application.services.records.clients.list(gateway_id=gateway_id)
    if not rows:
        raise NotFound("no client is registered for that gateway")
    return _describe(rows[-1])


@router.delete(
    "/registered-clients/{client_id:path}",
    tags=[_CLIENTS],
    summary="Delete a registered client",
    response_model=RegisteredClientDeleted,
    responses=problems(404, 409),
)
async def delete_client(caller: WritingAdmin, application: CurrentApplication, client_id: str) -> dict[str, Any]:
    """Delete a registered client, by its row's id or its client_id, and ask its server to forget it."""
    forgotten = await application.delete_client(client_id, caller)
    return {
        "success": True,
        "message": f"Deleted the client registered at {forgotten.client.issuer}",
        "authorization_server": forgotten.answer,
        "client": _describe(forgotten.client),
    }


async def _status_or_none(application: Application, gateway_id: str, caller: Caller) -> dict[str, Any] | None:
    try:
        gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    except NotFound:
        return None
    return await application.status.describe(gateway, caller)


async def _disconnect(
    application: Application, gateway_id: str, caller: Caller, user: str | None, account: str | None
) -> dict[str, Any]:
    owner = user if user in {None, COMPANY} else parse_email(user)
    ended = await application.connections.disconnect(gateway_id, owner, caller, label=account)
    return {
        "success": True,
        "message": f"Disconnected {ended.owner} from {ended.gateway.name}",
        "authorization_server": ended.answer,
    }


def _describe(client: RegisteredClient) -> dict[str, Any]:
    """A client as JSON, without secrets."""
    return {
        "id": client.id,
        "gateway_id": client.gateway_id,
        "issuer": client.issuer,
        "client_id": client.client_id,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "scope": client.scope,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "created_at": client.created_at.isoformat(),
        "expires_at": client.expires_at.isoformat() if client.expires_at else None,
        "is_active": client.is_active,
    }
