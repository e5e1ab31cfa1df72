"""The entries of the audit log: a document for each, under its number. None is changed."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Sequence
from datetime import datetime

from latchpin.contracts import Collection
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span
from latchpin.sdk.stores import put_all, scan_all

from latchpin_audit.entry import AuditEntry

__all__ = ["AUDIT", "AuditRecords"]

AUDIT = CollectionSpec("core_audit", disposable=True)

RECENT = 1.0
"""Seconds."""


class AuditRecords:
    """Keeps one chain: of two processes that write the same number, one makes the document."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents
        self._seen = (0, 0.0)

    async def append(self, entries: Sequence[AuditEntry]) -> int:
        """Add ``entries``, which follow on each other, behind the last one. Return how many of them are kept.

        These are all, or the first ones, if another process wrote behind them before the next one.

        Raises:
            RecordConflict: the last entry is not the one before ``entries[0]``; read it again. None is kept.
            BackendUnavailable: of the entries, the first ones may be kept.
        """
        if not entries:
            return 0
        number = entries[0].number
        follows = await self.last() is None if number == 1 else await self.stands(number - 1)
        if not follows:
            raise RecordConflict(f"the audit log does not end with entry {number - 1}")
        stored = await put_all(self._documents, [_document(entry) for entry in entries], in_order=True)
        kept = sum(document is not None for document in stored)
        if not kept:
            raise RecordConflict(f"the audit log has an entry {number}")
        self._see(entries[kept - 1].number)
        return kept

    def has_seen(self, number: int) -> bool:
        """Whether the entry was there within the last second: only a store that is emptied loses one."""
        seen, at = self._seen
        return seen == number and asyncio.get_running_loop().time() < at + RECENT

    async def stands(self, number: int) -> bool:
        """Whether the entry is there, or was within the last second."""
        if self.has_seen(number):
            return True
        found = await self._documents.get(_id(number)) is not None
        if found:
            self._see(number)
        return found

    def _see(self, number: int) -> None:
        self._seen = (number, asyncio.get_running_loop().time())

    async def last(self) -> AuditEntry | None:
        """The newest entry, None in an empty log."""
        found = await self._documents.scan(limit=1, newest_first=True)
        return _entry(found[0]) if found else None

    async def list(self, *, after: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """At most ``limit`` entries whose number is greater than ``after``, in their order."""
        return [_entry(held) for held in await self._documents.scan(ID_INDEX, Span(_id(after + 1)), limit=limit)]

    async def list_newest(self, *, before: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """At most ``limit`` entries whose number is lower than ``before``, the newest first; 0: of all."""
        within = Span("", _id(before)) if before else Span()
        return [_entry(held) for held in await self._documents.scan(ID_INDEX, within, limit=limit, newest_first=True)]

    async def purge(self, *, through: int) -> int:
        """Remove the entries up to the number ``through``, but never the last one. Return how many."""
        newest = await self.last()
        end = min(through, newest.number - 1 if newest else 0)
        removed = 0
        async for held in scan_all(self._documents, ID_INDEX, Span("", _id(end + 1))):
            removed += await self._documents.delete(held.id)
        return removed


def _id(number: int) -> str:
    return f"{number:020}"


def _document(entry: AuditEntry) -> Document:
    body = {name: getattr(entry, name) for name in entry.__slots__}
    return Document(_id(entry.number), body | {"at": entry.at.isoformat(), "facts": dict(entry.facts)})


def _entry(held: Document) -> AuditEntry:
    return AuditEntry(**{**held.body, "at": datetime.fromisoformat(held.body["at"])})
