"""Documents on Redis: a hash of them, their ends, and a sorted set for each index.

Under ``latchpin:{documents.name}``, so that on a cluster one collection lies in one slot: ``docs`` (id to text),
``ends`` (ids that expire, by when), ``by:`` and an index's name (value, NUL and id, sorted as bytes). Nothing expires
by Redis's own clock: what ended is absent for every script at once, and ``purge`` removes it.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span

from latchpin_redis_store.codec import foreign, to_json
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.document_scripts import (
    PURGE_DOCUMENTS,
    PUT_DOCUMENTS,
    SCAN_DOCUMENTS,
    TAKE_DOCUMENT,
)
from latchpin_redis_store.scripts import Script

__all__ = ["RedisCollection"]

PURGED_AT_ONCE = 1000
PUT_AT_ONCE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RedisCollection:
    """Implements ``latchpin.contracts.Collection``."""

    def __init__(self, spec: CollectionSpec, commands: Commands, clock: Clock) -> None:
        self._ask = commands.ask
        self._script = commands.run
        self._clock = clock
        self._spec = spec
        self._name = spec.name
        self._indexes = (ID_INDEX, *spec.indexes)
        self._keys = [self._key(part) for part in ("docs", "ends", *(f"by:{name}" for name in self._indexes))]

    async def put(self, document: Document) -> Document:
        """Compare and swap."""
        (stored,) = await self.put_all([document])
        if stored is None:
            raise RecordConflict(f"{self._name}: another revision of a document is stored")
        return stored

    async def put_all(self, documents: Sequence[Document], *, in_order: bool = False) -> Sequence[Document | None]:
        """Compare and swap each, a limited number at once: Redis does nothing else meanwhile."""
        done: builtins.list[Document | None] = []
        while len(done) < len(documents):
            some = documents[len(done) : len(done) + PUT_AT_ONCE]
            stored = [document.written() for document in some]
            words = [word for pair in zip(some, stored, strict=True) for word in self._words(*pair)]
            written = await self._run(PUT_DOCUMENTS, "1" if in_order else "", *self._indexes, *words)
            written += [0] * (len(some) - len(written))
            done += [new if good else None for new, good in zip(stored, written, strict=True)]
            if in_order and None in done:
                break
        return done + [None] * (len(documents) - len(done))

    def _words(self, document: Document, stored: Document) -> builtins.list[str | bytes | int]:
        """What the script is told of a document."""
        values = {ID_INDEX: document.id, **document.fields}
        ends = "" if document.expires_at is None else _us(document.expires_at)
        members = [_member(values.get(name), document.id) for name in self._indexes]
        return [document.id, document.revision, _dump(stored), ends, *members]

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Look."""
        text = await self._ask("HGET", self._keys[0], _bytes(id))
        document = None if text is None else self._load(id, text)
        return None if document is None or document.expired(self._clock()) else document

    async def delete(self, id: str, *, revision: int | None = None) -> bool:  # noqa: A002  the contract's name
        """Remove it."""
        wanted = "" if revision is None else revision
        return await self._run(TAKE_DOCUMENT, _bytes(id), wanted, *self._indexes) is not None

    async def take(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Remove and return it."""
        text = await self._run(TAKE_DOCUMENT, _bytes(id), "", *self._indexes)
        return None if text is None else self._load(id, text)

    async def scan(
        self,
        index: str = ID_INDEX,
        within: Span = Span(),  # noqa: B008  frozen
        *,
        after: tuple[str, str] | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> builtins.list[Document]:
        """Those of a part of an index, in its order."""
        self._spec.require_index(index)
        low, high = _bounds(within)
        if after is not None:
            edge = b"(" + _member(*after)
            low, high = (low, edge) if newest_first else (edge, high)
        command, first, last = ("ZREVRANGEBYLEX", high, low) if newest_first else ("ZRANGEBYLEX", low, high)
        keys = (self._keys[0], self._key(f"by:{index}"))
        found = await self._script(SCAN_DOCUMENTS, keys, _us(self._clock()), command, first, last, limit)
        return [self._load(id_.decode(), text) for id_, text in zip(found[::2], found[1::2], strict=True)]

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """How many there are, after what ended is removed."""
        self._spec.require_index(index)
        await self.purge()
        return int(await self._ask("ZLEXCOUNT", self._key(f"by:{index}"), *_bounds(within)))

    async def purge(self) -> int:
        """Remove what expired, a limited number at once. Return how many."""
        total = 0
        while True:
            count = int(await self._run(PURGE_DOCUMENTS, PURGED_AT_ONCE, *self._indexes))
            total += count
            if count < PURGED_AT_ONCE:
                return total

    def _key(self, part: str) -> str:
        return f"latchpin:{{documents.{self._name}}}:{part}"

    async def _run(self, script: Script, *words: str | bytes | int) -> Any:  # noqa: ANN401  each script's own reply
        return await self._script(script, self._keys, _us(self._clock()), *words)

    def _load(self, id_: str, text: bytes) -> Document:
        head, _, body = text.partition(b"\n")
        try:
            facts: Mapping[str, Any] = json.loads(head)
            ends = facts["ends"]
            expires_at = None if ends is False else _EPOCH + timedelta(microseconds=ends)
            return Document(id_, json.loads(body), dict(facts["fields"]), int(facts["revision"]), expires_at)
        except (ValueError, TypeError, KeyError) as exc:
            raise foreign(self._keys[0], exc) from exc


def _dump(document: Document) -> str:
    ends = False if document.expires_at is None else _us(document.expires_at)  # Lua's JSON makes something of null
    facts = {"revision": document.revision, "fields": dict(document.fields), "ends": ends}
    return f"{to_json(facts)}\n{document.dump_body()}"


def _us(moment: datetime) -> int:
    """Microseconds since 1970: 51 bits, which Lua's numbers hold exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _member(value: str | None, id_: str) -> bytes:
    """Its place in an index, empty if it has none. NUL sorts before every character that a value may hold."""
    return b"" if value is None else _bytes(f"{value}\0{id_}")


def _bounds(within: Span) -> tuple[bytes, bytes]:
    return b"[" + _bytes(within.begin), b"+" if within.end is None else b"(" + _bytes(within.end)


def _bytes(text: str) -> bytes:
    """What is looked for, in order of code points also where UTF-8 has no such text: it is then not found."""
    return text.encode(errors="surrogatepass")
