"""The OAuth endpoints for API callers and forms: status, fetch-tools, disconnect, registered clients."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller, RegisteredClient
from latchpin.people.address import parse_email
from latchpin.web import pages
from latchpin.web.csrf import check_csrf
from latchpin.web.dependencies import application_of, check_gateway_id
from latchpin.web.errors import FLOW_ID, wants_html
from latchpin.web.frame import frame, mcp_url_of
from latchpin.web.identity import require_admin, require_caller

__all__ = ["router"]

router = APIRouter(prefix="/oauth", tags=["oauth"])

MAX_STATUSES = 100


@router.get("/status")
async def get_statuses(request: Request, gateway_ids: Annotated[list[str], Query()]) -> list[dict[str, Any]]:
    """The status of several gateways for the caller, at most 100; those it may not know of are left out."""
    caller = await require_caller(request)
    if len(gateway_ids) > MAX_STATUSES:
        raise InvalidRequest(f"{len(gateway_ids)} gateway_ids were given; the limit is {MAX_STATUSES}")
    found = await asyncio.gather(*(_status_or_none(request, gateway_id, caller) for gateway_id in gateway_ids))
    return [status for status in found if status is not None]


@router.get("/status/{gateway_id}")
async def get_status(request: Request, gateway_id: str) -> dict[str, Any]:
    """How a gateway does OAuth, and how the caller's own token is."""
    caller, application = await require_caller(request), application_of(request)
    gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    return await application.status.describe(gateway, caller)


@router.post("/fetch-tools/{gateway_id}", response_model=None)
async def fetch_tools(request: Request, gateway_id: str) -> Response:
    """Fetch the MCP server's tools with the caller's own token and keep them for this caller."""
    caller, application = await require_caller(request), application_of(request)
    await check_csrf(request, caller)
    gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    fetched = await application.toolbox.fetch(gateway, caller)
    if fetched.flow_id is not None:
        request.scope[FLOW_ID] = fetched.flow_id
    if wants_html(request):
        return pages.fetched(
            around=await frame(request, caller),
            gateway=gateway,
            mcp_url=mcp_url_of(request, gateway.id),
            message=fetched.message,
            updated=fetched.updated,
            removed=fetched.removed,
            left_out=fetched.left_out,
            remarks=fetched.remarks,
            tools=pages.shown_tools(await application.toolbox.stored(gateway, caller)),
        )
    return JSONResponse(
        {
            "success": True,
            "message": fetched.message,
            "created": fetched.created,
            "updated": fetched.updated,
            "removed": fetched.removed,
            "tools": fetched.tools,
            "left_out": [{"name": odd.name, "reason": odd.reason} for odd in fetched.left_out],
            "remarks": list(fetched.remarks),
        }
    )


@router.get("/tokens")
async def list_connections(request: Request, user: str | None = None, gateway_id: str | None = None) -> dict[str, Any]:
    """Who is connected to what, and how well: the caller's own, for administrators everybody's."""
    caller, application = await require_caller(request), application_of(request)
    found = await application.connections.list(
        caller,
        user=None if user is None else parse_email(user),
        gateway_id=None if gateway_id is None else check_gateway_id(gateway_id),
    )
    return {"connections": [each.describe() for each in found], "total": len(found)}


@router.delete("/tokens")
async def delete_tokens(request: Request, user: str) -> dict[str, Any]:
    """Disconnect a user from everything, as when somebody leaves; one's own, for administrators anybody's."""
    caller, application = await require_caller(request), application_of(request)
    await check_csrf(request, caller)
    owner = parse_email(user)
    ended = [
        {"gateway_id": each.gateway.id, "gateway_name": each.gateway.name, "authorization_server": each.answer}
        async for each in application.connections.disconnect_everything(owner, caller)
    ]
    message = f"Disconnected {owner} from {len(ended)} gateways"
    return {"success": True, "message": message, "signed_out": caller.is_admin, "connections": ended}


@router.delete("/tokens/{gateway_id}")
async def delete_token(request: Request, gateway_id: str, user: str | None = None) -> dict[str, Any]:
    """Disconnect: revoke the token upstream where offered, and delete it here. ``user`` is for administrators."""
    caller = await require_caller(request)
    await check_csrf(request, caller)
    return await _disconnect(request, gateway_id, caller, user)


@router.post("/tokens/{gateway_id}/disconnect", include_in_schema=False)
async def disconnect(request: Request, gateway_id: str) -> Response:
    """The same for a form, which cannot send DELETE."""
    caller = await require_caller(request)
    await check_csrf(request, caller)
    await _disconnect(request, gateway_id, caller, None)
    return RedirectResponse(f"{application_of(request).services.settings.base_url}/admin/gateways", 303)


@router.get("/registered-clients")
async def list_clients(request: Request) -> dict[str, Any]:
    """All clients that authorization servers registered for this gateway; for administrators."""
    await require_admin(request)
    rows = await application_of(request).services.records.clients.list()
    return {"clients": [_describe(row) for row in rows], "total": len(rows)}


@router.get("/registered-clients/{gateway_id}")
async def get_client(request: Request, gateway_id: str) -> dict[str, Any]:
    """The client registered for one gateway (the newest, if it moved between servers); for administrators."""
    await require_admin(request)
    rows = await application_of(request).services.records.clients.list(gateway_id=check_gateway_id(gateway_id))
    if not rows:
        raise NotFound("no client is registered for that gateway")
    return _describe(rows[-1])


@router.delete("/registered-clients/{client_id:path}")
async def delete_client(request: Request, client_id: str) -> dict[str, Any]:
    """Delete a registered client, by its row's id or its client_id, and ask its server to forget it."""
    caller = await require_admin(request)
    await check_csrf(request, caller)
    forgotten = await application_of(request).delete_client(client_id, caller)
    return {
        "success": True,
        "message": f"Deleted the client registered at {forgotten.client.issuer}",
        "authorization_server": forgotten.answer,
        "client": _describe(forgotten.client),
    }


async def _status_or_none(request: Request, gateway_id: str, caller: Caller) -> dict[str, Any] | None:
    application = application_of(request)
    try:
        gateway = await application.gateways.get(check_gateway_id(gateway_id), caller)
    except NotFound:
        return None
    return await application.status.describe(gateway, caller)


async def _disconnect(request: Request, gateway_id: str, caller: Caller, user: str | None) -> dict[str, Any]:
    owner = None if user is None else parse_email(user)
    ended = await application_of(request).connections.disconnect(check_gateway_id(gateway_id), owner, caller)
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
