"""Documents over a bare ``KeyValue``: there is no index, so each scan and count reads the whole collection."""

from __future__ import annotations

import builtins
import json
from datetime import datetime

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span

from latchpin_key_value.contract import KeyValue, name_of, prefix_of

__all__ = ["KIND", "KeyValueCollection", "parse_document"]

KIND = "document"


class KeyValueCollection:
    """Implements ``latchpin.contracts.Collection``."""

    def __init__(self, store: KeyValue, spec: CollectionSpec, clock: Clock) -> None:
        self._store = store
        self._spec = spec
        self._clock = clock

    async def put(self, document: Document) -> Document:
        """Compare and swap."""
        body, stored = document.dump_body(), document.written()
        held, text = await self._standing(document.id)
        if (held.revision if held else 0) == document.revision:
            end = stored.expires_at.isoformat() if stored.expires_at else None
            head = json.dumps([stored.id, stored.revision, end, dict(stored.fields)])
            if await self._store.swap(self._key(stored.id), text, f"[{head},{body}]", expires_at=stored.expires_at):
                return stored
        raise RecordConflict(f"{self._spec.name}: another revision of a document is stored")

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Look."""
        return (await self._standing(id))[0]

    async def delete(self, id: str, *, revision: int | None = None) -> bool:  # noqa: A002  the contract's name
        """Remove it."""
        return await self._remove(id, revision) is not None

    async def take(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Remove and return it."""
        return await self._remove(id, None)

    async def scan(
        self,
        index: str = ID_INDEX,
        within: Span = Span(),  # noqa: B008  frozen
        *,
        after: tuple[str, str] | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> builtins.list[Document]:
        """Read all, and give those of a part of an index, in its order."""
        found = await self._all(index, within)
        found.sort(reverse=newest_first, key=lambda pair: pair[0])
        if after is not None:
            found = [(place, held) for place, held in found if (place < after if newest_first else place > after)]
        return [held for _, held in found[:limit]]

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """Read all, and count."""
        return len(await self._all(index, within))

    async def _all(self, index: str, within: Span) -> builtins.list[tuple[tuple[str, str], Document]]:
        self._spec.require_index(index)
        now, found = self._clock(), []
        for _, text in await self._store.scan(*prefix_of(KIND, self._spec.name)):
            held = parse_document(text)
            value = held.id if index == ID_INDEX else held.fields.get(index)
            if value is not None and value in within and not held.expired(now):
                found.append(((value, held.id), held))
        return found

    async def _remove(self, id_: str, revision: int | None) -> Document | None:
        while True:
            held, text = await self._standing(id_)
            if held is None or revision not in {None, held.revision}:
                return None
            if await self._store.swap(self._key(id_), text, None):
                return held

    async def _standing(self, id_: str) -> tuple[Document | None, str | None]:
        """The document, and the text that stands in its place even if it expired."""
        try:
            Document(id_, {})
        except ValueError:
            return None, None  # no document may have this id
        text = await self._store.get(self._key(id_))
        held = None if text is None else parse_document(text)
        return None if held is None or held.expired(self._clock()) else held, text

    def _key(self, id_: str) -> str:
        return name_of(KIND, self._spec.name, id_)


def parse_document(text: str) -> Document:
    """What ``put`` wrote."""
    (id_, revision, end, fields), body = json.loads(text)
    return Document(id_, body, fields, revision, None if end is None else datetime.fromisoformat(end))
