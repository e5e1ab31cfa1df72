"""The newest entries of the audit log in a list; it lasts as long as the process."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from latchpin.errors import RecordConflict
from latchpin.model import AuditEntry

__all__ = ["MemoryAudit"]

LIMIT = 20_000
"""Entries held, some 20 MB; the oldest give way. A gateway in production keeps all of them in another store."""


class MemoryAudit:
    """Implements ``latchpin.contracts.AuditRecords``."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self.rows: builtins.list[AuditEntry] = []

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add them behind the last, and let the oldest go beyond the limit."""
        newest = self.rows[-1].number if self.rows else 0
        if entries and entries[0].number != newest + 1:
            raise RecordConflict(f"the audit log has {newest} entries")
        self.rows += entries
        del self.rows[: max(0, len(self.rows) - self._limit)]

    async def last(self) -> AuditEntry | None:
        """The newest."""
        return self.rows[-1] if self.rows else None

    async def list(self, *, after: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """Those behind ``after``."""
        gone = self.rows[0].number - 1 if self.rows else 0
        begin = max(0, after - gone)
        return self.rows[begin : begin + limit]

    async def purge(self, *, through: int) -> int:
        """Remove the oldest, but never the last."""
        gone = self.rows[0].number - 1 if self.rows else 0
        count = max(0, min(through - gone, len(self.rows) - 1))
        del self.rows[:count]
        return count
