"""What ``latchpin doctor`` and the metrics say of the audit of calls."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load

from latchpin_audit.losses import LOSSES, read_losses
from latchpin_audit.settings import CallAuditSettings

__all__ = ["check_calls", "count_dropped"]


async def check_calls(context: CheckContext) -> Sequence[Finding]:
    """Whether calls are recorded, and whether that failed within the last seven days; nothing where they are not."""
    settings = context.load(CallAuditSettings)
    if settings.audit_calls == "off" or context.records is None:
        return []
    losses = await read_losses(context.records.collection(LOSSES))
    dropped = sum(each.dropped for each in losses)
    failing = [each for each in losses if each.reason]
    findings = [
        Finding(
            Severity.FAILURE,
            f"A worker cannot record MCP calls since {each.at:%Y-%m-%d %H:%M} UTC",
            each.reason,
            "Mend what AUDIT_CALLS writes to; records wait until it goes again, AUDIT_CALLS_WAITING at most.",
        )
        for each in failing
    ]
    if dropped:
        title = f"{dropped} records of MCP calls were dropped within the last 7 days"
        remedy = "The log says when and why; AUDIT_CALLS_WAITING says how many may wait."
        findings.append(Finding(Severity.WARNING, title, remedy=remedy))
    return findings or [Finding(Severity.OK, f"MCP calls are recorded (AUDIT_CALLS={settings.audit_calls})")]


async def count_dropped(application: Application) -> float | None:
    """How many records were dropped; None where calls are not recorded."""
    if load(CallAuditSettings).audit_calls == "off":
        return None
    return float(sum(each.dropped for each in await read_losses(application.services.context.collection(LOSSES))))
