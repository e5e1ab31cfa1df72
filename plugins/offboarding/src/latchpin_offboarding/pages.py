"""People who are out: whom to end, what becomes of their tokens, and who is let in again; for administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.model import Caller
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, TimeShown, WritingAdmin, frame, render

from latchpin_offboarding.people import Departed, People

__all__ = ["router"]

router = APIRouter(prefix="/admin/people", include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Row:
    """Somebody who is out, as the page shows them.

    Attributes:
        since: None: they were let in again, and their tokens are still taken back.
    """

    person: Departed
    since: TimeShown | None

    @classmethod
    def of(cls, person: Departed, now: datetime) -> _Row:
        return cls(person, TimeShown.of(person.barred.at, now) if person.barred else None)


@router.get("")
async def show_people(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """Everybody who is out, and what is still to be revoked."""
    now = application.services.clock()
    rows = [_Row.of(each, now) for each in await People(application).list(caller)]
    return await _show(request, caller, "people_out", title="People who left", rows=rows)


@router.get("/end")
async def ask_to_end(
    request: Request, caller: AdminCaller, application: CurrentApplication, user: str = ""
) -> Response:
    """Ask before somebody is ended."""
    email = parse_email(user.strip())
    connections = await application.connections.list(caller, user=email)
    stay = [each.gateway for each in await application.connections.shared_by(email)]
    return await _show(
        request, caller, "person_end", title="End a person", user=email, connections=connections, stay=stay
    )


@router.post("/end")
async def end(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """End everything of somebody, who is out then."""
    people = People(application)
    await people.end(parse_email((await request.form()).get("user")), caller, way="api")
    await people.begin_work()
    return _back(application.services.settings.base_url)


@router.post("/restore")
async def restore(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Let somebody in again."""
    await People(application).restore(parse_email((await request.form()).get("user")), caller)
    return _back(application.services.settings.base_url)


async def _show(request: Request, caller: Caller, template: str, **values: Any) -> Response:  # noqa: ANN401
    return render(template, folder=TEMPLATES, headers=WITH_SCRIPTS, **values, **await frame(request, caller))


def _back(base_url: str) -> Response:
    return RedirectResponse(f"{base_url}/admin/people", 303)
