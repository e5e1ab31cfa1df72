"""The audit log in a list; it lasts as long as the process."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from latchpin.errors import RecordConflict
from latchpin.model.audit import AuditEntry

__all__ = ["MemoryAudit"]


class MemoryAudit:
    """Implements ``latchpin.contracts.AuditRecords``."""

    def __init__(self) -> None:
        self.rows: builtins.list[AuditEntry] = []

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add them behind the last."""
        if entries and entries[0].number != len(self.rows) + 1:
            raise RecordConflict(f"the audit log has {len(self.rows)} entries")
        self.rows += entries

    async def last(self) -> AuditEntry | None:
        """The newest."""
        return self.rows[-1] if self.rows else None

    async def list(self, *, after: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """Those behind ``after``."""
        return self.rows[after : after + limit]
