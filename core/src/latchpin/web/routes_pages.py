"""The pages for people: start, gateways, the causes of problems, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from latchpin.application import Application
from latchpin.errors import NotFound, known_causes
from latchpin.model import Caller, Gateway
from latchpin.oauth.status import TokenStatus
from latchpin.tokens.client_grant import needs_browser
from latchpin.web import pages
from latchpin.web.dependencies import CurrentApplication, SignedInCaller
from latchpin.web.frame import frame, frame_for_anybody
from latchpin.web.overview import fill_cards, look_over
from latchpin.web.rendering import WITH_SCRIPTS, render

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "latchpin.css": "text/css",
    "latchpin.svg": "image/svg+xml",
    "authorization.js": "text/javascript",
    "authorize.js": "text/javascript",
    "copy.js": "text/javascript",
}
_CACHED = {"cache-control": "public, max-age=3600"}

_STATUS_TEXTS: dict[TokenStatus, str] = {
    "missing": "Not connected",
    "valid": "Connected",
    "near_expiry": "Connected, expires soon",
    "expired": "Expired",
    "needs_reauth": "Authorize again",
}


@router.get("/")
async def show_home(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """The Admin Panel: how things are."""
    around = await frame(request, caller)
    return render(
        "home",
        title="Admin Panel",
        headers=WITH_SCRIPTS,
        **around,
        overview=await look_over(application, caller),
        cards=await fill_cards(around["navigation"], application, caller),
    )


@router.get("/admin/gateways")
async def show_gateways(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """The gateways that the caller may use, with what can be done about each; then what is left at others."""
    gateways = await application.gateways.list(caller)
    usable = {gateway.id for gateway in gateways}
    own = [each for each in await application.connections.list(caller, user=caller.email) if not each.shared]
    # One after the other: a thousand tools each, asked for at once, would keep everybody else's reads waiting.
    rows = [await _row(application, gateway, caller) for gateway in gateways]
    return render(
        "gateways",
        title="Gateways",
        headers=WITH_SCRIPTS,
        **await frame(request, caller),
        rows=rows,
        left=list({each.gateway.id: each.gateway for each in own if each.gateway.id not in usable}.values()),
    )


async def _row(application: Application, gateway: Gateway, caller: Caller) -> pages.GatewayRow:
    said = await application.status.describe(gateway, caller)
    personal = needs_browser(gateway)
    shared = personal and gateway.connection == "shared"
    status, text = _status(said["user_token_status"]) if personal else ("", "")
    return pages.GatewayRow(
        id=gateway.id,
        name=gateway.name,
        url=gateway.url,
        auth_type=gateway.auth_type,
        status=status,
        status_text=text,
        authorizes=personal and (not shared or caller.is_admin),
        connected=personal and status != "missing" and (not shared or caller.is_admin),
        tools=pages.shown_tools(await application.toolbox.stored(gateway, caller)),
        shared=shared,
        connected_by=said.get("connected_by"),
        account=said.get("account") or "",
    )


def _status(token: Mapping[str, Any]) -> tuple[TokenStatus, str]:
    """The status of the API's answer, and the same for people."""
    status: TokenStatus = token["status"]
    if status == "expired" and token["authorized"]:
        return "near_expiry", "Connected, renewed at next use"
    return status, _STATUS_TEXTS[status]


@router.get("/problems")
async def show_problems(request: Request) -> Response:
    """Every cause, with an anchor each: what a problem document's ``documentation`` points to."""
    return render("problems", title="Causes", **await frame_for_anybody(request), causes=list(known_causes().values()))


@router.get("/problems/{code}")
async def show_problem(request: Request, code: str) -> Response:
    """What a problem document's ``type`` points to: the cause in general, and what to do about it."""
    cause = known_causes().get(code)
    if cause is None:
        raise NotFound("there is no such cause")
    return render("problem", title=cause.title, **await frame_for_anybody(request), cause=cause)


@router.get("/static/{name}")
async def get_static(name: str) -> Response:
    """One of the files that the pages use; nothing else in that folder can be named."""
    if name not in _FILES:
        raise NotFound("there is no such file")
    return FileResponse(_STATIC / name, media_type=_FILES[name], headers=_CACHED)
