"""Documents in dictionaries, with a sorted list for each index."""

from __future__ import annotations

import builtins
import json
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span

__all__ = ["MemoryCollection"]

LIMIT = 100_000
"""Documents that one collection holds; a gateway in production keeps them in another store."""

DISPOSABLE_LIMIT = 20_000
"""The same where the oldest give way: some 20 to 60 MB."""

Entry = tuple[str, str]
"""A document's value in an index, and its id."""


class MemoryCollection:
    """Implements ``latchpin.contracts.Collection``. Every method runs without a pause."""

    def __init__(self, spec: CollectionSpec, clock: Clock, *, limit: int | None = None) -> None:
        self._spec = spec
        self._name = spec.name
        self._clock = clock
        self._limit = limit or (DISPOSABLE_LIMIT if spec.disposable else LIMIT)
        self._disposable = spec.disposable
        self.rows: dict[str, tuple[Document, str]] = {}
        self._first_end: datetime | None = None  # nothing expires before: until then a full store need not look
        self._indexes: dict[str, list[Entry]] = {name: [] for name in (ID_INDEX, *spec.indexes)}

    async def put(self, document: Document) -> Document:
        """Compare and swap."""
        return self._put(document)

    async def put_all(self, documents: Sequence[Document], *, in_order: bool = False) -> Sequence[Document | None]:
        """Compare and swap each."""
        done: builtins.list[Document | None] = []
        for document in documents:
            try:
                done.append(self._put(document))
            except RecordConflict:
                done.append(None)
                if in_order:
                    break
        return done + [None] * (len(documents) - len(done))

    def _put(self, document: Document) -> Document:
        text = document.dump_body()
        held = self._standing(document.id)
        if (held.revision if held else 0) != document.revision:
            raise RecordConflict(f"{self._name}: another revision of a document is stored")
        if document.id not in self.rows:
            self._make_room()
        self._remove(document.id)
        stored = document.written()
        self.rows[document.id] = (replace(stored, body={}, fields=dict(stored.fields)), text)
        self._first_end = _earlier(self._first_end, stored.expires_at)
        for name, value in self._values(stored):
            insort(self._indexes[name], (value, stored.id))
        return stored

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Look."""
        return self._standing(id)

    async def delete(self, id: str, *, revision: int | None = None) -> bool:  # noqa: A002  the contract's name
        """Remove it."""
        held = self._standing(id)
        if held is None or revision not in {None, held.revision}:
            return False
        self._remove(id)
        return True

    async def take(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Remove and return it."""
        held = self._standing(id)
        if held is not None:
            self._remove(id)
        return held

    async def scan(
        self,
        index: str = ID_INDEX,
        within: Span = Span(),  # noqa: B008  frozen
        *,
        after: Entry | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> builtins.list[Document]:
        """Those of a part of an index, in its order."""
        entries = self._between(index, within)
        if newest_first:
            entries.reverse()
        found: builtins.list[Document] = []
        for entry in entries:
            if len(found) == limit:
                break
            if after is not None and (entry >= after if newest_first else entry <= after):
                continue
            held = self._standing(entry[1])
            if held is not None:
                found.append(held)
        return found

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """How many there are."""
        now = self._clock()
        return sum(not self.rows[id_][0].expired(now) for _, id_ in self._between(index, within))

    def purge(self) -> int:
        """Remove what expired. Return how many."""
        now = self._clock()
        over = [id_ for id_, (document, _) in self.rows.items() if document.expired(now)]
        for id_ in over:
            self._remove(id_)
        self._first_end = None
        for document, _ in self.rows.values():
            self._first_end = _earlier(self._first_end, document.expires_at)
        return len(over)

    def _make_room(self) -> None:
        if len(self.rows) < self._limit:
            return
        if self._first_end is not None and self._first_end <= self._clock() and self.purge():
            return
        if not self._disposable:
            raise BackendUnavailable(f"the memory store is full: {self._name} holds {self._limit} documents")
        self._remove(next(iter(self.rows)))

    def _between(self, index: str, within: Span) -> list[Entry]:
        self._spec.require_index(index)
        entries = self._indexes[index]
        begin = bisect_left(entries, (within.begin, ""))
        end = len(entries) if within.end is None else bisect_left(entries, (within.end, ""))
        return entries[begin:end]

    def _standing(self, id_: str) -> Document | None:
        document, text = self.rows.get(id_, (None, ""))
        if document is None or document.expired(self._clock()):
            return None
        return replace(document, body=json.loads(text), fields=dict(document.fields))

    def _remove(self, id_: str) -> None:
        document, _ = self.rows.pop(id_, (None, ""))
        if document is not None:
            for name, value in self._values(document):
                entries = self._indexes[name]
                del entries[bisect_left(entries, (value, id_))]

    def _values(self, document: Document) -> Iterator[tuple[str, str]]:
        yield ID_INDEX, document.id
        yield from ((name, value) for name, value in document.fields.items() if name in self._indexes)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other
