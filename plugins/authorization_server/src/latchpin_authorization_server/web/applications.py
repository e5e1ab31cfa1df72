"""What has access as whom: the person's page, the administrators' page, and the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import (
    AdminCaller,
    CurrentApplication,
    SignedInCaller,
    WritingAdmin,
    WritingCaller,
    frame,
    problems,
    render,
)

from latchpin_authorization_server.people.applications import Applications, describe_grant, group_by_client
from latchpin_authorization_server.server import open_server
from latchpin_authorization_server.web.documents import GrantList, GrantsEnded
from latchpin_authorization_server.web.views import ApplicationCard, GrantRow

__all__ = ["router"]

router = APIRouter()

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 500
_TAG = "applications"


async def applications_of(application: Application) -> Applications:
    """What lists and ends them."""
    return Applications(await open_server(application.services.context))


# -- the person's page ----------------------------------------------------------------------------------


@router.get("/applications", include_in_schema=False)
async def show_mine(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """What has access as the caller."""
    return await _mine(request, caller, application)


@router.post("/applications/end", include_in_schema=False)
async def end_mine(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """End one grant of the caller's, or all of one client."""
    form, applications = await request.form(), await applications_of(application)
    if client_id := str(form.get("client", "")):
        ended = await applications.end_client(client_id, caller.email, caller)
        said = f"{ended[0].client_name} has no access any more. If it wants some again, you are asked."
    else:
        grant = await applications.end(str(form.get("grant", "")), caller)
        said = f"{grant.client_name} has no access there any more. If it wants some again, you are asked."
    return await _mine(request, caller, application, said=said)


async def _mine(request: Request, caller: Caller, application: Application, *, said: str = "") -> Response:
    grants = await (await applications_of(application)).list(caller, user=caller.email)
    names, now = await _names(application, caller), application.services.clock()
    cards = [ApplicationCard.of(client, names, now) for client in group_by_client(grants)]
    return render(
        "applications",
        folder=TEMPLATES,
        title="My applications",
        cards=cards,
        said=said,
        **await frame(request, caller),
    )


# -- the administrators' page -----------------------------------------------------------------------------


@router.get("/applications/everybody", include_in_schema=False)
async def show_everybodys(
    request: Request, caller: AdminCaller, application: CurrentApplication, q: str = ""
) -> Response:
    """What has access as whom; ``q`` is a part of an address, of an application's name or of an endpoint's."""
    return await _everybodys(request, caller, application, q)


@router.post("/applications/everybody/end", include_in_schema=False)
async def end_anybodys(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """End one grant of anybody's."""
    form = await request.form()
    grant = await (await applications_of(application)).end(str(form.get("grant", "")), caller)
    said = f"{grant.client_name} has no access as {grant.email} there any more."
    return await _everybodys(request, caller, application, str(form.get("q", "")), said=said)


async def _everybodys(
    request: Request, caller: Caller, application: Application, wanted: str, *, said: str = ""
) -> Response:
    grants = await (await applications_of(application)).list(caller)
    names, now = await _names(application, caller), application.services.clock()
    wanted = wanted.strip()[:320]
    rows = [row for grant in grants if _holds(row := GrantRow.of(grant, names, now), wanted.lower())]
    return render(
        "applications_of_everybody",
        folder=TEMPLATES,
        title="All applications",
        rows=rows[:MOST_ROWS],
        found=len(rows),
        total=len(grants),
        wanted=wanted,
        said=said,
        **await frame(request, caller),
    )


def _holds(row: GrantRow, wanted: str) -> bool:
    return any(wanted in text.lower() for text in (row.person, row.client_name, row.client_id, row.resource))


async def _names(application: Application, caller: Caller) -> dict[str, str]:
    return {resource.url: resource.name for resource in await application.list_resources(caller)}


# -- the API ----------------------------------------------------------------------------------------------


@router.get("/oauth2/grants", tags=[_TAG], summary="List what MCP clients may do", response_model=GrantList)
async def list_grants(
    caller: SignedInCaller, application: CurrentApplication, user: str | None = None, client_id: str | None = None
) -> dict[str, Any]:
    """What people allowed MCP clients: the caller's own, for administrators everybody's."""
    found = await (await applications_of(application)).list(
        caller, user=None if user is None else parse_email(user), client_id=client_id
    )
    return {"grants": [describe_grant(grant) for grant in found], "total": len(found)}


@router.delete(
    "/oauth2/grants",
    tags=[_TAG],
    summary="End all that an MCP client may do as a person",
    response_model=GrantsEnded,
    responses=problems(404),
)
async def end_grants(
    caller: WritingCaller, application: CurrentApplication, client_id: str, user: str | None = None
) -> dict[str, Any]:
    """End all that the caller allowed one client, and forget the consent. ``user`` is for administrators."""
    owner = caller.email if user is None else parse_email(user)
    ended = await (await applications_of(application)).end_client(client_id, owner, caller)
    return {
        "success": True,
        "message": f"{ended[0].client_name} has no access as {owner} any more",
        "grants": [describe_grant(grant) for grant in ended],
    }


@router.delete(
    "/oauth2/grants/{grant_id}",
    tags=[_TAG],
    summary="End one thing that an MCP client may do",
    response_model=GrantsEnded,
    responses=problems(404),
)
async def end_grant(caller: WritingCaller, application: CurrentApplication, grant_id: str) -> dict[str, Any]:
    """End one grant of the caller's, for administrators anybody's, and forget the consent to it."""
    grant = await (await applications_of(application)).end(grant_id, caller)
    return {
        "success": True,
        "message": f"{grant.client_name} has no access as {grant.email} to {grant.resource} any more",
        "grants": [describe_grant(grant)],
    }
