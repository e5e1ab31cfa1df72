"""The page of the audit log: for administrators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from latchpin.sdk.settings import load
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, frame, render

from latchpin_audit import newest
from latchpin_audit.log import AuditLog
from latchpin_audit.routes import AuditQuery
from latchpin_audit.settings import AuditSettings, CallAuditSettings

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
PLACES = {"lines": "JSON lines", "otlp": "a collector of OpenTelemetry"}
"""Where calls are recorded that are not in the log."""


@router.get("/admin/audit")
async def show_audit(
    request: Request,
    caller: AdminCaller,
    application: CurrentApplication,
    asked: Annotated[AuditQuery, Query()],
) -> Response:
    """The newest entries with ``q`` in them; with ``calls``, MCP calls."""
    query = asked.to_query()
    gateways = {each.id: each.name for each in await application.services.records.gateways.list()}
    log = AuditLog.of(application.services.context)
    found = await newest.find_newest(log, query, gateways)
    settings = load(CallAuditSettings)
    return render(
        "audit",
        folder=TEMPLATES,
        headers=WITH_SCRIPTS,
        title="Audit log",
        calls=query.calls,
        wanted=query.text,
        before=query.before,
        rows=found.entries,
        earlier=found.earlier,
        on=load(AuditSettings).audit_log,
        recorded=settings.audit_calls,
        elsewhere=PLACES.get(settings.audit_calls, ""),
        **await frame(request, caller),
    )
