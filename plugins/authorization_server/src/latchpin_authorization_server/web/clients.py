"""The clients that are kept here, for administrators: the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin, problems, read_json, takes_json

from latchpin_authorization_server.clients.entered import KeptClients, describe_client
from latchpin_authorization_server.clients.entry import ClientEntry, parse_entry
from latchpin_authorization_server.server import open_server
from latchpin_authorization_server.web.client_documents import McpClientDocument, McpClientEntered, McpClientList

__all__ = ["clients_of", "router"]

router = APIRouter(prefix="/oauth2/clients", tags=["applications"])

PAGE = 50
MOST = 200

_BODY = takes_json(ClientEntry)


async def clients_of(application: Application) -> KeptClients:
    """What lists, enters and deletes them."""
    return KeptClients(await open_server(application.services.context))


@router.get("", summary="List MCP clients", response_model=McpClientList, responses=problems(404))
async def list_mcp_clients(
    caller: AdminCaller,  # noqa: ARG001  only administrators get here
    application: CurrentApplication,
    source: Literal["entered", "registered"] = "entered",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
) -> dict[str, Any]:
    """The MCP clients that were entered or registered themselves, the newest first. ``after`` goes on behind one."""
    clients = await clients_of(application)
    found = await clients.list(source, after=after, limit=limit)
    return {
        "clients": [describe_client(stored) for stored in found],
        "total": await clients.count(source),
        "next_after": found[-1].client.id if len(found) == limit else None,
    }


@router.post(
    "",
    summary="Enter an MCP client",
    status_code=201,
    response_model=McpClientEntered,
    responses={201: {"headers": {"location": {"description": "The client's URL.", "schema": {"type": "string"}}}}},
    openapi_extra=_BODY,
)
async def enter_mcp_client(
    request: Request, response: Response, caller: WritingAdmin, application: CurrentApplication
) -> dict[str, Any]:
    """Enter a client that people sign in with, or a service that acts as somebody. Its secret is told this once."""
    entered = await (await clients_of(application)).enter(parse_entry(await read_json(request)), caller)
    client_id = entered.stored.client.id
    response.headers["location"] = f"{application.services.settings.base_url}/oauth2/clients/{client_id}"
    response.headers["cache-control"] = "no-store"
    return describe_client(entered.stored) | {"client_secret": entered.secret or None}


@router.get("/{client_id}", summary="Read an MCP client", response_model=McpClientDocument, responses=problems(404))
async def show_mcp_client(
    caller: AdminCaller,  # noqa: ARG001  only administrators get here
    application: CurrentApplication,
    client_id: str,
) -> dict[str, Any]:
    """One MCP client that is kept here, without its secret."""
    return describe_client(await (await clients_of(application)).get(client_id))


@router.delete(
    "/{client_id}", summary="Delete an MCP client", response_model=McpClientDocument, responses=problems(404)
)
async def delete_mcp_client(caller: WritingAdmin, application: CurrentApplication, client_id: str) -> dict[str, Any]:
    """Delete an MCP client with all that people allowed it: its tokens end within a second."""
    return describe_client(await (await clients_of(application)).delete(client_id, caller))
