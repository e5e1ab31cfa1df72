"""How long the audit log is kept: what is older goes, and an entry in the chain says up to where."""

from __future__ import annotations

from datetime import datetime

from latchpin.model import CLIENT_ITSELF, Fact

from latchpin_audit.entry import AuditEntry
from latchpin_audit.log import AuditLog
from latchpin_audit.records import AuditRecords

__all__ = ["TRIMMED", "last_before", "trim", "trimmed_through"]

TRIMMED = "audit.trimmed"

_AT_ONCE = 5_000
"""Entries that one write removes."""


async def trim(log: AuditLog, *, before: datetime, now: datetime) -> int:
    """Remove the entries from before ``before``; return how many.

    The entry that says so comes first, so that a beginning is never missing without one. If it cannot be written,
    nothing is removed.

    Raises:
        BackendUnavailable: the store cannot be asked; some may be gone.
    """
    records = log.records
    oldest = await _first_behind(records, 0)
    if oldest is None or oldest.at >= before:
        return 0
    through = await _newest_before(records, oldest, before)
    if not await log.keep(Fact(TRIMMED, now, CLIENT_ITSELF, details={"through": through})):
        return 0
    removed = 0
    for number in range(oldest.number + _AT_ONCE, through, _AT_ONCE):
        removed += await records.purge(through=number)
    return removed + await records.purge(through=through)


async def last_before(records: AuditRecords, before: datetime) -> int:
    """The number of the last entry from before ``before``; 0 if there is none."""
    oldest = await _first_behind(records, 0)
    return 0 if oldest is None or oldest.at >= before else await _newest_before(records, oldest, before)


def trimmed_through(entry: AuditEntry) -> int:
    """Up to which entry ``entry`` says that the log was trimmed; 0 if it says nothing of the kind."""
    through = entry.facts.get("through", "") if entry.event == TRIMMED else ""
    return int(through) if through.isascii() and through.isdigit() else 0


async def _newest_before(records: AuditRecords, oldest: AuditEntry, before: datetime) -> int:
    """The number of the last entry from before ``before``, found by halves: entries are in the order of their times."""
    last = await records.last()
    low, high = oldest.number, oldest.number if last is None else last.number
    while low < high:
        middle = (low + high + 1) // 2
        entry = await _first_behind(records, middle - 1)
        if entry is not None and entry.at < before:
            low = middle
        else:
            high = middle - 1
    return low


async def _first_behind(records: AuditRecords, number: int) -> AuditEntry | None:
    return next(iter(await records.list(after=number, limit=1)), None)
