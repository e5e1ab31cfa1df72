"""What files rule: kept for each entry that was applied, so that pages say so and ``--prune`` removes nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latchpin.contracts import BulkCollection, Collection, Context
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span
from latchpin.sdk.stores import scan_all

__all__ = ["MARKS", "Mark", "Marks", "RuledNotes", "Unfinished"]

MARKS = CollectionSpec("config_marks", ("kind",))
_AT_ONCE = 100
_UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Mark:
    """That a file rules an entry.

    Attributes:
        kind, name, entry: which; ``entry`` is its id.
        source: what the files are called together: an apply prunes those of its own source only.
        file: where it stands, with its line, as it was named at the last apply.
    """

    kind: str
    name: str
    entry: str
    source: str
    file: str
    applied_at: datetime
    actor: str
    revision: int = 0

    @property
    def id(self) -> str:
        """Under which it is kept."""
        return _id(self.kind, self.entry)

    def same(self, other: Mark) -> bool:
        """Whether it says the same, but for when."""
        return (self.name, self.source, self.file) == (other.name, other.source, other.file)

    def dump(self) -> Document:
        """As it is kept."""
        body: dict[str, Any] = {
            "kind": self.kind,
            "name": self.name,
            "entry": self.entry,
            "source": self.source,
            "file": self.file,
            "applied_at": self.applied_at.isoformat(),
            "actor": self.actor,
        }
        return Document(self.id, body, {"kind": self.kind}, self.revision)

    @classmethod
    def read(cls, held: Document) -> Mark:
        """What ``dump`` wrote."""
        body = held.body
        said = {name: body[name] for name in ("kind", "name", "entry", "source", "file", "actor")}
        return cls(**said, applied_at=datetime.fromisoformat(body["applied_at"]), revision=held.revision)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An apply that began and has not said that it ended."""

    source: str
    since: datetime
    actor: str


class Marks:
    """Keeps them."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    @classmethod
    def of(cls, context: Context) -> Marks:
        """Those in the record store."""
        return cls(context.collection(MARKS))

    async def all(self) -> dict[tuple[str, str], Mark]:
        """All, by kind and entry."""
        found = [Mark.read(held) async for held in scan_all(self._documents, "kind")]
        return {(each.kind, each.entry): each for each in found}

    async def of_kind(self, kind: str) -> list[Mark]:
        """Those of a kind."""
        return [Mark.read(held) async for held in scan_all(self._documents, "kind", Span.only(kind))]

    async def put_all(self, marks: Sequence[Mark]) -> None:
        """Write each in the place of the one of its revision; who writes holds the lease of applying.

        Raises:
            RecordConflict: one was written by somebody else since.
        """
        if not isinstance(self._documents, BulkCollection):
            for mark in marks:
                await self._documents.put(mark.dump())
            return
        for at in range(0, len(marks), _AT_ONCE):
            written = await self._documents.put_all([mark.dump() for mark in marks[at : at + _AT_ONCE]])
            if None in written:
                raise RecordConflict("what files rule was written by somebody else")

    async def drop(self, kind: str, entry: str) -> bool:
        """Forget it. False if there was none."""
        return await self._documents.delete(_id(kind, entry))

    async def put_back(self, touched: Iterable[tuple[str, str]], earlier: Mapping[tuple[str, str], Mark]) -> None:
        """Have each of ``touched`` as it was."""
        for key in touched:
            await self.drop(*key)
            if key in earlier:
                await self._documents.put(replace(earlier[key], revision=0).dump())

    async def begin(self, said: Unfinished) -> None:
        """Note that an apply begins to write."""
        await self.end()
        body = {"source": said.source, "since": said.since.isoformat(), "actor": said.actor}
        await self._documents.put(Document(_UNFINISHED, body))

    async def end(self) -> None:
        """Note that it has ended, whole or put back."""
        await self._documents.delete(_UNFINISHED)

    async def unfinished(self) -> Unfinished | None:
        """The apply that writes at this moment, or died while it did."""
        held = await self._documents.get(_UNFINISHED)
        if held is None:
            return None
        return Unfinished(held.body["source"], datetime.fromisoformat(held.body["since"]), held.body["actor"])


class RuledNotes:
    """What pages say of what files rule; see ``latchpin.contracts.EntryNotes``."""

    def __init__(self, context: Context) -> None:
        self._marks = Marks.of(context)

    async def of(self, kind: str) -> Mapping[str, str]:
        """A sentence for each that a file rules."""
        return {each.entry: sentence(each) for each in await self._marks.of_kind(kind)}


def sentence(mark: Mark) -> str:
    """What is said where it could be changed by hand."""
    when = f"{mark.applied_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"This is ruled by {mark.file} (applied {when}, source {mark.source}). What you change here holds until the "
        "file is applied again, which sets it back: change the file."
    )


def _id(kind: str, entry: str) -> str:
    return hashlib.sha256(f"{kind}\0{entry}".encode("utf-8", "surrogatepass")).hexdigest()
