"""People who are out: whom to end, what becomes of their tokens, and who is let in again; for administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.sdk.gateway import Departed
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import AdminCaller, CurrentApplication, TimeShown, WritingAdmin

from latchpin_admin_ui.pages import show

__all__ = ["router"]

router = APIRouter(prefix="/admin/people", include_in_schema=False)


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
    rows = [_Row.of(each, now) for each in await application.people.list(caller)]
    return await show(request, caller, "people", title="People who left", rows=rows)


@router.get("/end")
async def ask_to_end(
    request: Request, caller: AdminCaller, application: CurrentApplication, user: str = ""
) -> Response:
    """Ask before somebody is ended."""
    email = parse_email(user.strip())
    connections = await application.connections.list(caller, user=email)
    stay = [each.gateway for each in await application.connections.shared_by(email)]
    return await show(
        request, caller, "person_end", title="End a person", user=email, connections=connections, stay=stay
    )


@router.post("/end")
async def end(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """End everything of somebody, who is out then."""
    await application.people.end(parse_email((await request.form()).get("user")), caller, way="api")
    application.people.begin_work()
    return _back(application.services.settings.base_url)


@router.post("/restore")
async def restore(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Let somebody in again."""
    await application.people.restore(parse_email((await request.form()).get("user")), caller)
    return _back(application.services.settings.base_url)


def _back(base_url: str) -> Response:
    return RedirectResponse(f"{base_url}/admin/people", 303)
