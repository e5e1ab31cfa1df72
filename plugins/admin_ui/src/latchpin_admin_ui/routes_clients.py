"""The clients that authorization servers registered for this gateway; for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin, check_gateway_id

from latchpin_admin_ui.pages import show
from latchpin_admin_ui.views import ClientRow

__all__ = ["router"]

router = APIRouter(prefix="/admin/clients", include_in_schema=False)


async def _rows(application: Application, caller: Caller, gateway_id: str | None = None) -> list[ClientRow]:
    names = {gateway.id: gateway.name for gateway in await application.gateways.list(caller)}
    clients, now = await application.services.records.clients.list(gateway_id=gateway_id), application.services.clock()
    return [ClientRow.of(client, names.get(client.gateway_id, client.gateway_id), now) for client in clients]


@router.get("")
async def show_clients(
    request: Request, caller: AdminCaller, application: CurrentApplication, gateway: str = ""
) -> Response:
    """All of them, or those of one gateway."""
    rows = await _rows(application, caller, check_gateway_id(gateway) if gateway else None)
    return await show(request, caller, "clients", title="Own OAuth clients", rows=rows)


@router.get("/{row_id}/delete")
async def ask_to_delete(
    request: Request, caller: AdminCaller, application: CurrentApplication, row_id: str
) -> Response:
    """Ask before one is deleted."""
    row = next((row for row in await _rows(application, caller) if row.id == row_id), None)
    if row is None:
        raise NotFound("there is no such client")
    return await show(request, caller, "client_delete", title="Delete a client", row=row)


@router.post("/{row_id}/delete")
async def delete(request: Request, caller: WritingAdmin, application: CurrentApplication, row_id: str) -> Response:
    """Delete one here, and ask its server to forget it."""
    forgotten = await application.delete_client(check_gateway_id(row_id), caller)
    return await show(
        request,
        caller,
        "client_deleted",
        title="Client deleted",
        client_id=forgotten.client.client_id,
        issuer=forgotten.client.issuer,
        answer=forgotten.answer,
    )
