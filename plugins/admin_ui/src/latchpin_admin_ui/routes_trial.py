"""Trying one gateway out, which takes a while.

It is there where ``latchpin-doctor`` is installed.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.contracts import Finding, Severity
from latchpin.model import Gateway
from latchpin.sdk.gateway import Step
from latchpin.sdk.web import CurrentApplication, GatewayId, WritingAdmin

from latchpin_admin_ui.growing import Tell, grow

__all__ = ["router"]

router = APIRouter(prefix="/admin/gateways", include_in_schema=False)

OUTCOMES = {Severity.OK: "good", Severity.SKIPPED: "info", Severity.WARNING: "warn", Severity.FAILURE: "bad"}


def _trail(gateway: Gateway) -> list[tuple[str, str]]:
    return [("/admin/gateways", "Gateways"), (f"/admin/gateways/{gateway.id}", gateway.name)]


def _sentences(*texts: str) -> str:
    return " ".join(f"{text[0].upper()}{text[1:].rstrip('.')}." for text in texts if text)


@router.post("/{gateway_id}/test")
async def try_out(
    request: Request, caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Find the server, the client and the caller's token, each step shown as it happens."""
    from latchpin_doctor.gateway_findings import examine_gateway  # noqa: PLC0415  loaded when it is asked for

    gateway = await application.gateways.get(gateway_id, caller)

    async def work(tell: Tell) -> None:
        def on_step(step: Finding | Step) -> None:
            if isinstance(step, Step):
                tell("step", outcome="good" if step.passed else "info", what=step.asked, text=step.got)
                return
            what = f"{step.title[0].upper()}{step.title[1:]}"
            tell("step", outcome=OUTCOMES[step.severity], what=what, text=_sentences(step.detail, step.remedy))

        findings = await examine_gateway(application, gateway, caller=caller, tell=on_step)
        failed = any(each.severity is Severity.FAILURE for each in findings)
        tell("steps_end", text="Something has to be mended." if failed else "Nothing is wrong.")

    return await grow(
        request,
        caller,
        "growing",
        work,
        title=f"Testing {gateway.name}",
        trail=_trail(gateway),
        lead="Nothing is registered and nothing is changed by it.",
        label="Steps of the test",
        back=(f"/admin/gateways/{gateway.id}", f"Back to {gateway.name}"),
    )
