"""What keeps the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from latchpin.model.audit import AuditEntry

__all__ = ["AuditRecords"]


class AuditRecords(Protocol):
    """The entries of the audit log, in one chain. None is changed, and none removed but from the beginning.

    A store that is not shared may let its oldest entries go by itself; it never forgets the last one.
    """

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add ``entries``, which follow on each other, behind the last one; all of them or none.

        Raises:
            RecordConflict: the last entry is not the one before ``entries[0]``; read it again.
            BackendUnavailable: nothing is known to be kept.
        """

    async def last(self) -> AuditEntry | None:
        """The newest entry, None in an empty log."""

    async def list(self, *, after: int = 0, limit: int) -> list[AuditEntry]:
        """At most ``limit`` entries whose number is greater than ``after``, in their order."""

    async def purge(self, *, through: int) -> int:
        """Remove the entries up to the number ``through``, but never the last one. Return how many."""
