"""The page of tools that wait for approval: for administrators."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import Conflict
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin

from latchpin_policy.pin import Change, Pin, diff_of
from latchpin_policy.pins import pins_of
from latchpin_policy.settings import PolicySettings
from latchpin_policy.showing import go_to, show

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TOOLS = "/admin/tools"


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool that waits.

    Attributes:
        known: another definition of it was approved before.
        lines: what differs from that, line by line.
    """

    id: str
    hash: str
    name: str
    gateway: str
    known: bool
    lines: list[Change]

    @classmethod
    def of(cls, pin: Pin, gateways: dict[str, str]) -> ToolRow:
        """As it is read where gateways have these names."""
        name = ascii(pin.name)[1:-1]
        digest = "" if pin.held is None else pin.held.hash
        where = gateways.get(pin.gateway, "a gateway that is gone")
        return cls(pin.id, digest, name, where, bool(pin.approved), diff_of(pin))


@router.get(TOOLS)
async def show_changed(request: Request, caller: AdminCaller, application: CurrentApplication, q: str = "") -> Response:
    """The tools that wait, with ``q`` in their name or their gateway's."""
    return await _show(request, caller, application, q.strip()[:200])


@router.post(TOOLS + "/{tool_id}/approve")
async def approve(request: Request, caller: WritingAdmin, application: CurrentApplication, tool_id: str) -> Response:
    """Approve what the page showed; where it has changed since, the page shows it anew."""
    form = await request.form()
    try:
        await (await pins_of(application)).approve(tool_id, str(form.get("hash", "")), caller)
    except Conflict as exc:
        return await _show(request, caller, application, "", wrong=f"{exc.detail}. {exc.remedy}", status=exc.status)
    return go_to(application, TOOLS)


async def _show(
    request: Request, caller: Caller, application: Application, wanted: str, *, wrong: str = "", status: int = 200
) -> Response:
    names = {each.id: each.name for each in await application.gateways.list(caller)}
    rows = [ToolRow.of(pin, names) for pin in await (await pins_of(application)).held()]
    low = wanted.lower()
    return await show(
        request,
        caller,
        "changed_tools",
        status=status,
        title="Changed tools",
        rows=[row for row in rows if low in row.name.lower() or low in row.gateway.lower()],
        total=len(rows),
        wanted=wanted,
        wrong=wrong,
        on=load(PolicySettings).tool_pinning,
    )
