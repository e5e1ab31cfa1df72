"""Kept values that few have: read once for all who ask within a moment, since nearly everybody finds none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from latchpin.contracts import KeyValueRecords
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["FewNotes"]

RECENT_SECONDS = 0.25
"""So old an answer may be: what another worker wrote less long ago may be missing."""
MOST = 1_000
MANY_SECONDS = 60.0
"""Where there are more, each is looked for by itself for so long."""


class FewNotes:
    """The kept values whose names begin with ``prefix``.

    What another worker writes is seen within ``RECENT_SECONDS``; what this one writes at once, if it says so. This is
    not for notes that somebody acts on at another worker at once.

    Args:
        kept: where they are.
        prefix: how their names begin.
    """

    def __init__(self, kept: KeyValueRecords, prefix: str) -> None:
        self._kept = kept
        self._prefix = prefix
        self._notes: Mapping[str, str] | None = {}
        self._until = 0.0
        self._changes = 0
        self._reading: SharedTasks[int, Mapping[str, str] | None] = SharedTasks()

    async def get(self, name: str) -> str | None:
        """The value of that name, None if there is none.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        notes = self._notes
        if asyncio.get_running_loop().time() >= self._until:
            notes = await self._reading.run(self._changes, self._read)
        return await self._kept.get(name) if notes is None else notes.get(name)

    def changed(self) -> None:
        """This process wrote or took one: what was read before holds no more."""
        self._changes += 1
        self._until = 0.0

    async def _read(self) -> Mapping[str, str] | None:
        """All there are, None if these are many."""
        changes, now = self._changes, asyncio.get_running_loop().time()
        found = await self._kept.list(self._prefix)
        notes = found if len(found) <= MOST else None
        if changes == self._changes:
            self._notes, self._until = notes, now + (MANY_SECONDS if notes is None else RECENT_SECONDS)
        return notes
