"""What the gateway does on the side: expired and used states, and old flows, are gone within a minute.

Entries of the audit log are gone within the hour after their time, where it has one.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from latchpin.activity.audit.log import AuditLog
from latchpin.activity.audit.pseudonyms import Pseudonyms
from latchpin.activity.audit.retention import trim
from latchpin.activity.history import MOST_FLOWS
from latchpin.services import Services

__all__ = ["INTERVAL_SECONDS", "purge"]

_log = logging.getLogger("latchpin.maintenance")

INTERVAL_SECONDS = 30.0

_TRIMS = "audit-trim"
_TRIM_EVERY = timedelta(hours=1)
"""So often, one of all workers trims the audit log."""


async def purge(services: Services) -> None:
    """Remove what is past its time.

    Raises:
        BackendUnavailable: a store is away.
    """
    if services.states is not None and (count := await services.states.purge()):
        _log.debug("Purged %d expired OAuth states", count)
    await services.records.purge()
    before = services.clock() - timedelta(hours=services.settings.flow_history_hours)
    await services.flows.purge(before=before, most=MOST_FLOWS)
    await _trim_audit(services)


async def _trim_audit(services: Services) -> None:
    days, now, ours = services.settings.audit_retention_days, services.clock(), secrets.token_urlsafe(16)
    if days and await services.kept.put(_TRIMS, ours, expires_at=now + _TRIM_EVERY) == ours:
        log = AuditLog(services.audit_log, services.signer, Pseudonyms(services.kept, services.cipher))
        count = await trim(services.audit_log, log, before=now - timedelta(days=days), now=now)
        if count:
            _log.info("Removed %d entries of the audit log, older than %d days", count, days)
