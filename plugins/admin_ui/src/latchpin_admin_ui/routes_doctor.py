"""Doctor in the browser: the same checks as ``latchpin doctor``, in the process that answers; for administrators.

It is there where ``latchpin-doctor`` is installed.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.contracts import Severity
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin

from latchpin_admin_ui.growing import Tell, grow
from latchpin_admin_ui.pages import show
from latchpin_admin_ui.routes_trial import OUTCOMES

__all__ = ["router"]

router = APIRouter(prefix="/admin/doctor", include_in_schema=False)


@router.get("")
async def show_doctor(request: Request, caller: AdminCaller) -> Response:
    """What doctor does, and a button."""
    return await show(request, caller, "doctor", title="Doctor", fields={"offline": ""})


@router.post("")
async def run_doctor(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Run the checks; each is named while it runs, and the report follows."""
    plugins: Plugins = request.app.state.plugins
    offline = bool((await request.form()).get("offline"))

    async def work(tell: Tell) -> None:
        from latchpin_doctor.running import run_checks  # noqa: PLC0415  loaded when it is asked for

        report = await run_checks(
            application,
            plugins=plugins,
            offline=offline,
            progress=lambda title: tell("step_line", text=title),
        )
        counts = [(OUTCOMES[severity], severity.value, report.count(severity)) for severity in Severity]
        tell("doctor_report", report=report, counts=counts, outcomes=OUTCOMES)

    return await grow(
        request,
        caller,
        "growing",
        work,
        title="Doctor",
        trail=[],
        lead="What is being looked at:",
        label="Checks",
        back=("/admin/doctor", "Run it again"),
        wide=True,
    )
