"""Connections: my own, everybody's for administrators, and how they end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.errors import InvalidRequest
from latchpin.model import COMPANY, Caller, Gateway
from latchpin.sdk.gateway import LONGEST_LABEL, Application, Connection, may_use, parse_label
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import (
    ACCOUNT,
    AdminCaller,
    CurrentApplication,
    GatewayId,
    SignedInCaller,
    WritingAdmin,
    WritingCaller,
    check_gateway_id,
    mcp_url_of,
    parse_account,
)
from starlette.datastructures import FormData

from latchpin_admin_ui.growing import Tell, grow
from latchpin_admin_ui.pages import is_live, show, show_piece
from latchpin_admin_ui.views import HEALTHS, ConnectionRow, Mine

__all__ = ["find_mine", "router"]

router = APIRouter(prefix="/admin", include_in_schema=False)


# -- my own -------------------------------------------------------------------------------------------


async def find_mine(application: Application, gateway: Gateway, caller: Caller) -> Mine:
    """How ``caller`` is connected to one gateway."""
    found = await _serving(application, caller, gateway.id)
    now, needs = application.services.clock(), await application.connection_notes(caller)
    mine = Mine.of(gateway, found, now, admin=caller.is_admin, usable=may_use(gateway, caller))
    return replace(mine, needs=needs.get(gateway.id, ()))


async def _serving(application: Application, caller: Caller, gateway_id: str | None = None) -> list[Connection]:
    """The caller's own connections, and what all share where the caller may use it."""
    found = await application.connections.list(caller, user=caller.email, gateway_id=gateway_id)
    if caller.is_admin:
        found += await application.connections.list(caller, user=COMPANY, gateway_id=gateway_id)
    return found


@router.get("/my-connections")
async def show_mine(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """How the caller is connected to the gateways that they may use, what needs them first; then what is left."""
    found: dict[str, list[Connection]] = {}
    for each in await _serving(application, caller):
        found.setdefault(each.gateway.id, []).append(each)
    now, admin = application.services.clock(), caller.is_admin
    gateways = await application.gateways.list(caller)
    needs = await application.connection_notes(caller)
    all_mine = [
        replace(Mine.of(each, found.pop(each.id, []), now, admin=admin), needs=needs.get(each.id, ()))
        for each in gateways
    ]
    all_mine.sort(key=lambda each: not each.needs_somebody)
    all_mine += [Mine.of(left[0].gateway, left, now, admin=admin, usable=False) for left in found.values()]
    return await show(request, caller, "my_connections", title="My connections", all_mine=all_mine)


@router.get("/my-connections/{gateway_id}")
async def show_my_piece(
    request: Request, caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """One of these alone: for the page that is open while its user authorizes in another window."""
    gateway = await application.gateways.get(gateway_id, caller)
    if not is_live(request):
        return RedirectResponse(f"{application.services.settings.base_url}/admin/gateways/{gateway.id}", 303)
    return await show_piece(request, caller, "mine", mine=await find_mine(application, gateway, caller))


@router.post("/my-connections/{gateway_id}/disconnect")
async def disconnect_mine(
    request: Request, caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """End one of the caller's own connections, or for an administrator what all share."""
    form = await request.form()
    owner = COMPANY if form.get("shared") else caller.email
    ended = await application.connections.disconnect(gateway_id, owner, caller, label=_label_in(form))
    if is_live(request):
        mine = await find_mine(application, ended.gateway, caller)
        return await show_piece(request, caller, "mine", mine=mine, said=f"Disconnected. {ended.answer}")
    return await show(
        request,
        caller,
        "disconnected",
        title="Disconnected",
        owner=caller.email,
        gateway_name=ended.gateway.name,
        answer=ended.answer,
        back="/admin/my-connections",
    )


@router.post("/my-connections/{gateway_id}/default")
async def choose_default(
    request: Request, caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Let another account of the caller's serve where a program names none."""
    label = _label_in(await request.form())
    await application.connections.choose(gateway_id, label, caller)
    if not is_live(request):
        return RedirectResponse(f"{application.services.settings.base_url}/admin/gateways/{gateway_id}", 303)
    mine = await find_mine(application, await application.gateways.get(gateway_id, caller), caller)
    return await show_piece(request, caller, "mine", mine=mine, said=f"Programs use {label or 'this account'} now.")


@router.get("/my-connections/{gateway_id}/add")
async def add_account(
    request: Request, caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Say how one more account is connected; a form cannot lead to another server by itself, so a link does."""
    gateway = await application.gateways.get(gateway_id, caller)
    try:
        account, wrong = parse_account(request.url.query), ""
    except InvalidRequest as exc:
        account, wrong = None, exc.detail
    return await show(
        request,
        caller,
        "add_account",
        title=f"Add another account: {gateway.name}",
        gateway=gateway,
        account=account,
        wrong=wrong,
        longest=LONGEST_LABEL,
        mcp_url=mcp_url_of(request, gateway.id),
    )


def _label_in(form: FormData) -> str:
    """The label of the account that a form names, ``""`` for the one without.

    Raises:
        InvalidRequest: it names one that cannot be, or several.
    """
    named = form.getlist(ACCOUNT) or [""]
    if len(named) > 1:
        raise InvalidRequest(f"{ACCOUNT} is given {len(named)} times")
    return parse_label(str(named[0])) if named[0] else ""


MOST_ROWS = 500


# -- everybody's --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the list is narrowed down to; empty means everything."""

    user: str
    gateway: str
    health: str

    def holds(self, row: ConnectionRow) -> bool:
        return (
            self.user in row.owner.lower() and self.gateway in ("", row.gateway_id) and self.health in ("", row.status)
        )


@router.get("/connections")
async def show_connections(
    request: Request,
    caller: AdminCaller,
    application: CurrentApplication,
    *,
    user: str = "",
    gateway: str = "",
    health: str = "",
) -> Response:
    """Who is connected to which gateway, and how well."""
    wanted = _Wanted(user.strip().lower()[:320], gateway, health)
    now = application.services.clock()
    everything = [ConnectionRow.of(each, now) for each in await application.connections.list(caller)]
    found = [row for row in everything if wanted.holds(row)]
    known = any(row.owner == wanted.user for row in found) or (not found and _is_address(wanted.user))
    values: dict[str, Any] = {
        "rows": found[:MOST_ROWS],
        "found": len(found),
        "total": len(everything),
        "person": wanted.user if known else "",
    }
    if is_live(request):
        return await show_piece(request, caller, "connections_table", **values)
    gateways = await application.gateways.list(caller)
    return await show(
        request,
        caller,
        "connections",
        title="All connections",
        wanted=wanted,
        gateways=gateways,
        healths=HEALTHS,
        **values,
    )


def _is_address(text: str) -> bool:
    try:
        return parse_email(text) == text
    except InvalidRequest:
        return False


@router.post("/connections/disconnect")
async def disconnect(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """End one connection of anybody."""
    form = await request.form()
    gateway_id = check_gateway_id(str(form.get("gateway", "")))
    owner = str(form.get("owner", ""))
    ended = await application.connections.disconnect(gateway_id, owner, caller, label=_label_in(form))
    values: dict[str, Any] = {"owner": ended.owner, "gateway_name": ended.gateway.name, "answer": ended.answer}
    if is_live(request):
        return await show_piece(request, caller, "connection_ended", **values)
    return await show(request, caller, "disconnected", title="Disconnected", back="/admin/connections", **values)


# -- all of one user ----------------------------------------------------------------------------------


@router.get("/connections/end")
async def ask_to_end(
    request: Request, caller: AdminCaller, application: CurrentApplication, user: str = ""
) -> Response:
    """Ask before everything of a user is disconnected."""
    owner, now = parse_email(user), application.services.clock()
    rows = [ConnectionRow.of(each, now) for each in await application.connections.list(caller, user=owner)]
    stay = [each.gateway for each in await application.connections.shared_by(owner)]
    return await show(request, caller, "end", title="Disconnect everything", user=owner, rows=rows, stay=stay)


@router.post("/connections/end")
async def end(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Disconnect everything of a user, and say what each server answers as it does."""
    owner = parse_email((await request.form()).get("user"))

    async def work(tell: Tell) -> None:
        count = 0
        async for ended in application.connections.disconnect_everything(owner, caller):
            count += 1
            tell("step", outcome="good", what=ended.gateway.name, text=ended.answer)
        tell("step", outcome="good", what="Latchpin", text=f"The sessions and bearer tokens of {owner} have ended.")
        for stays in await application.connections.shared_by(owner):
            tell("step", outcome="warn", what=stays.gateway.name, text=f"{owner} connected it for all, and it stays.")
        tell("steps_end", text=f"{owner} is disconnected from {count} gateway{'' if count == 1 else 's'}.")

    return await grow(
        request,
        caller,
        "growing",
        work,
        title="Disconnecting everything",
        trail=[("/admin/connections", "All connections")],
        lead="",
        label="What the servers said",
        back=("/admin/connections", "Back to the connections"),
    )
