"""What Latchpin finds: a recorder of what is done, its commands, and what removes old entries."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import (
    BackgroundTask,
    CallObserver,
    Check,
    Command,
    Every,
    Gauge,
    NavigationEntry,
    Recorder,
)

if TYPE_CHECKING:
    from latchpin.contracts import CheckContext, Finding
    from latchpin.sdk.gateway import Application

    from latchpin_audit.log import AuditLog
    from latchpin_audit.settings import AuditSettings, CallAuditSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_call_observers",
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_gauges",
    "latchpin_key_uses",
    "latchpin_navigation",
    "latchpin_recorders",
    "latchpin_routes",
    "trim_in_turn",
]

_log = logging.getLogger("latchpin.audit")

INTERVAL_SECONDS = 30.0
_TRIMS = "audit-trim"
_TRIM_EVERY = timedelta(hours=1)
"""So often, one of all workers trims the log."""


@asynccontextmanager
async def _open_log(settings: AuditSettings, context: latchpin.Context) -> AsyncIterator[Recorder | None]:
    from latchpin_audit.log import AuditLog  # noqa: PLC0415  loaded when asked for

    if not settings.audit_log:
        yield None
        return
    log = AuditLog.of(context)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def _open_trimming(
    settings: AuditSettings, context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin_audit.log import AuditLog  # noqa: PLC0415  loaded when asked for

    if not settings.audit_log or not settings.audit_retention_days:
        yield None
        return

    log = AuditLog.of(context)

    async def turn(_application: Application) -> None:
        await trim_in_turn(log, context, days=settings.audit_retention_days)

    try:
        yield Every(INTERVAL_SECONDS, turn)
    finally:
        await log.close()


@asynccontextmanager
async def _open_calls(settings: CallAuditSettings, context: latchpin.Context) -> AsyncIterator[CallObserver | None]:
    if settings.audit_calls == "off":
        yield None
        return
    from latchpin_audit.calls import open_audited_calls  # noqa: PLC0415  loaded when asked for

    async with open_audited_calls(settings, context) as observer:
        yield observer


async def trim_in_turn(log: AuditLog, context: latchpin.Context, *, days: int) -> None:
    """Remove what is older than ``days``, unless another worker did so within the hour."""
    from latchpin_audit.retention import trim  # noqa: PLC0415  loaded when asked for

    now, ours = context.clock(), secrets.token_urlsafe(16)
    if await context.kept.put(_TRIMS, ours, expires_at=now + _TRIM_EVERY) == ours:
        count = await trim(log, before=now - timedelta(days=days), now=now)
        if count:
            _log.info("Removed %d entries of the audit log, older than %d days", count, days)


@latchpin.hookimpl
def latchpin_recorders() -> Sequence[latchpin.Backend[AuditSettings, Recorder | None]]:
    """Record what is done."""
    from latchpin_audit.settings import AuditSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("audit", "the audit log", AuditSettings, _open_log)]


@latchpin.hookimpl
def latchpin_call_observers() -> Sequence[latchpin.Backend[CallAuditSettings, CallObserver | None]]:
    """Record MCP calls."""
    from latchpin_audit.settings import CallAuditSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("audit-calls", "the audit of calls", CallAuditSettings, _open_calls)]


@latchpin.hookimpl
def latchpin_gauges() -> Sequence[Gauge]:
    """Say how many calls could not be recorded."""
    about = "Records of MCP calls that were dropped within 7 days, by all workers."
    return [Gauge("audit_calls_dropped", about, _count_dropped)]


async def _count_dropped(application: Application) -> float | None:
    from latchpin_audit.checks import count_dropped  # noqa: PLC0415  loads the gateway

    return await count_dropped(application)


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say whether calls are recorded."""
    return [Check("audit-calls", "Audit", "the audit of MCP calls", _check_calls)]


async def _check_calls(context: CheckContext) -> Sequence[Finding]:
    from latchpin_audit.checks import check_calls  # noqa: PLC0415  as above

    return await check_calls(context)


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[AuditSettings, BackgroundTask[Application] | None]]:
    """Remove entries that are too old."""
    from latchpin_audit.settings import AuditSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("audit-trim", "removing old entries of the audit log", AuditSettings, _open_trimming)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the API and the page."""
    return ["latchpin_audit.routes:router", "latchpin_audit.pages:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the page."""
    about = "Who did what, and who called which tool, where calls are recorded."
    return [NavigationEntry("Audit log", "/admin/audit", about, group="activity", admin_only=True, rank=40)]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin audit``."""
    return [Command("audit", "Verify and export the audit log.", "latchpin_audit.command:app")]


@latchpin.hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name the keys and names of people, which are sealed, and the entries, which are signed."""
    return ["latchpin_audit.key_uses:list_key_uses"]
