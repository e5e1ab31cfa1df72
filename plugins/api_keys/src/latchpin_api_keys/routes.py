"""Entering the API key of a server without OAuth: a page for people, and the same for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import LatchpinError
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application, parse_body, parse_label
from latchpin.sdk.identity import parse_email
from latchpin.sdk.sign_in import parse_target
from latchpin.sdk.web import (
    ACCOUNT,
    WITH_SCRIPTS,
    AccountNamed,
    CurrentApplication,
    GatewayId,
    SignedInPerson,
    TimeShown,
    WritingCaller,
    frame,
    mcp_url_of,
    parse_account,
    problems,
    read_json,
    render,
    takes_json,
)

from latchpin_api_keys.documents import KeyBody, KeyKept

__all__ = ["router"]

router = APIRouter(prefix="/gateways/{gateway_id}/key")

TEMPLATES = Path(__file__).parent / "templates"

_BLANKS = " \t\r\n"
"""What comes along when people copy: no field of HTTP holds any of it at its ends."""


@router.get("", include_in_schema=False)
async def show_form(
    request: Request, caller: SignedInPerson, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Ask for the key."""
    gateway = await application.gateways.get(gateway_id, caller)
    target, account = parse_target(request.query_params.get("next")), parse_account(request.url.query) or ""
    return await _show(request, caller, application, gateway, target=target, account=account)


@router.post("", include_in_schema=False)
async def enter(
    request: Request, caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Try the key and keep it, or say above the form why not; the key itself is never shown again."""
    gateway = await application.gateways.get(gateway_id, caller)
    form = await request.form()
    entered, target = form.get("key"), parse_target(form.get("next"))
    named = str(form.get(ACCOUNT, ""))
    account = parse_label(named) if named else ""
    try:
        key = entered.strip(_BLANKS) if isinstance(entered, str) else ""
        kept = await application.api_keys.keep(gateway, key, caller, account=account)
    except LatchpinError as exc:
        return await _show(request, caller, application, gateway, target=target, wrong=exc, account=account)
    return render(
        "key_kept",
        folder=TEMPLATES,
        title="The key works",
        headers=WITH_SCRIPTS,
        **await frame(request, caller),
        kept=kept,
        next="" if target == "/" else target,
        mcp_url=mcp_url_of(request, gateway.id),
    )


@router.put(
    "",
    tags=["connections"],
    summary="Enter an API key",
    response_model=KeyKept,
    responses=problems(404, 409, 502, 504),
    openapi_extra=takes_json(KeyBody),
)
async def put_key(
    request: Request,
    caller: WritingCaller,
    application: CurrentApplication,
    gateway_id: GatewayId,
    account: AccountNamed,
    *,
    user: str | None = None,
) -> dict[str, Any]:
    """Try a key at the MCP server, and keep it if it works. ``user`` is for administrators.

    ``account`` is the label of one more account at this server.
    """
    gateway = await application.gateways.get(gateway_id, caller)
    owner = None if user is None else parse_email(user)
    body = parse_body(KeyBody, await read_json(request), example='{"key": "..."}')
    kept = await application.api_keys.keep(gateway, body.key.get_secret_value(), caller, owner, account=account or "")
    return {"success": True, "message": kept.message, "tools": kept.tools}


async def _show(
    request: Request,
    caller: Caller,
    application: Application,
    gateway: Gateway,
    *,
    target: str,
    account: str,
    wrong: LatchpinError | None = None,
) -> Response:
    stored = await application.api_keys.find(gateway, caller, account=account)
    return render(
        "key",
        folder=TEMPLATES,
        title=f"Enter a key: {gateway.name}",
        status=wrong.status if wrong else 200,
        **await frame(request, caller),
        gateway=gateway,
        account=account,
        entered=None if stored is None else TimeShown.of(stored.updated_at, application.services.clock()),
        next="" if target == "/" else target,
        wrong=wrong,
    )
