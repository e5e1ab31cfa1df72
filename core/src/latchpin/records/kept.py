"""Small named values with one primitive: the first writer wins until the value expires.

It serves random keys made once for all workers, one-time links and leases.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from latchpin.contracts import Collection, RecordStore
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span
from latchpin.records.bulk import scan_all

__all__ = ["KEPT", "KeyValues"]

KEPT = CollectionSpec("core_kept")

_ATTEMPTS = 20
_MOST_OWN = 10_000
_LONGEST_OWN = 64


class KeyValues:
    """The kept values of a record store. A name has 1 to 255 bytes."""

    def __init__(self, records: RecordStore) -> None:
        self._documents: Collection = records.collection(KEPT)
        self._own: dict[str, tuple[str, int]] = {}
        """Short values that this process put, with their revisions: what it takes back it need not read."""

    async def put(self, name: str, value: str, *, expires_at: datetime | None = None) -> str:
        """Keep ``value`` unless an unexpired one stands; return the one that stands now."""
        for _ in range(_ATTEMPTS):
            try:
                stored = await self._documents.put(Document(name, {"value": value}, expires_at=expires_at))
            except RecordConflict:
                standing = await self.get(name)
                if standing is not None:
                    return standing
            else:
                self._remember(name, value, stored.revision)
                return value
        raise BackendUnavailable("a kept value is written and taken faster than it can be read")

    async def replace(self, name: str, value: str, *, replacing: str, expires_at: datetime | None = None) -> bool:
        """Write ``value`` if ``replacing`` stands. False: something else does, or nothing."""
        held = await self._documents.get(name)
        if held is None or not _same(str(held.body["value"]), replacing):
            return False
        wanted = Document(name, {"value": value}, revision=held.revision, expires_at=expires_at)
        try:
            stored = await self._documents.put(wanted)
        except RecordConflict:
            return False
        self._remember(name, value, stored.revision)
        return True

    async def get(self, name: str) -> str | None:
        """Look. None if there is none or it expired."""
        held = await self._documents.get(name)
        return None if held is None else str(held.body["value"])

    async def list(self, prefix: str) -> Mapping[str, str]:
        """Those whose name begins with ``prefix`` and that have not expired."""
        found = scan_all(self._documents, ID_INDEX, Span.prefix(prefix))
        return {held.id: str(held.body["value"]) async for held in found}

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        """Remove and return it, atomically: one caller gets it. With ``value``, only if it is that."""
        own, revision = self._own.pop(name, ("", 0))
        if value is None:
            taken = await self._documents.take(name)
            return None if taken is None else str(taken.body["value"])
        if revision and _same(own, value) and await self._documents.delete(name, revision=revision):
            return value
        held = await self._documents.get(name)
        if held is None or not _same(str(held.body["value"]), value):
            return None
        return value if await self._documents.delete(name, revision=held.revision) else None

    def _remember(self, name: str, value: str, revision: int) -> None:
        if len(value) > _LONGEST_OWN:
            return
        while len(self._own) >= _MOST_OWN:
            del self._own[next(iter(self._own))]
        self._own[name] = (value, revision)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
