"""The documents of all collections, read and written together: what waits at the same time shares its statements.

In one transaction all rows that are asked for are locked, in the order of their names. Every change is then made here,
one after the other, to what was read, and what is different in the end is written: one statement for what is new, one
for what is changed, one for what is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin.contracts import Clock
from latchpin.model import Document
from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, delete, insert, select, update

from latchpin_sql_store.columns import pack_object, unpack_object
from latchpin_sql_store.database import Database
from latchpin_sql_store.faults import Unstorable
from latchpin_sql_store.rows import one_or_many
from latchpin_sql_store.tables import document_fields, documents
from latchpin_sql_store.write_queue import Outcomes

__all__ = ["DocumentLanes", "Write", "load_document"]

_WANTED = and_(
    documents.c.collection == bindparam("of"),
    documents.c.id.in_(bindparam("wanted", type_=documents.c.id.type, expanding=True)),
)
_THIS = and_(documents.c.collection == bindparam("of"), documents.c.id == bindparam("wanted"))
_GET = select(documents).where(_THIS), select(documents).where(_WANTED)
"""For one document, as most are read, and for any number: SQLAlchemy writes the second anew each time."""
_LOCK = _GET[0].with_for_update(), _GET[1].order_by(documents.c.id).with_for_update()
_INSERT = insert(documents)
_UPDATE = (
    update(documents)
    .where(_THIS)
    .values({name: bindparam(f"new_{name}") for name in ("revision", "fields", "body", "expires_at")})
)
_DELETE = delete(documents).where(_WANTED)  # the fields go with it
_INSERT_FIELDS = insert(document_fields)
_DELETE_FIELDS = delete(document_fields).where(
    document_fields.c.collection == bindparam("of"),
    document_fields.c.id.in_(bindparam("wanted", type_=document_fields.c.id.type, expanding=True)),
)

Place = tuple[str, str]
"""A document's collection and id."""


@dataclass(frozen=True, slots=True)
class Write:
    """A change of one document.

    Attributes:
        place: which document.
        stored: what is put in its place; None: it is removed.
        fields: the rows that ``stored`` is found by.
        revision: which revision must stand, 0: none; None: any, but one must.
    """

    place: Place
    stored: Document | None
    fields: Sequence[dict[str, str]] = ()
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """What one caller wants written; ``in_order``: nothing behind the first that may not be done."""

    writes: Sequence[Write]
    in_order: bool


_Held = Document | RowMapping
"""A document as it was put in this transaction, or as it was read."""


class DocumentLanes:
    """The way of documents into the database and out of it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._clock = clock
        self._reads = database.read_lane(self._read)
        self._writes = database.write_lane(self._write)

    async def get(self, place: Place) -> Document | None:
        """The document that stands there."""
        try:
            row = await self._reads.submit(place)
        except Unstorable:  # no row can have such an id
            return None
        return None if row is None or not self._stands(row) else load_document(row)

    async def write(self, writes: Sequence[Write], *, in_order: bool = False) -> Sequence[Document | None]:
        """Do each that may be done, in one transaction with the others.

        ``in_order``: none behind the first that may not be done.

        Returns for each the document that was put or removed, None where it was not done.

        Raises:
            Duplicate: another process put one of them at the same moment; none is done.
            Unstorable: no row can have such an id.
            BackendUnavailable: nothing is known to have been done.
        """
        done = await self._writes.submit(_Group(writes, in_order))
        return [each if each is None or isinstance(each, Document) else load_document(each) for each in done]

    def _read(self, connection: Connection, wanted: Sequence[Place]) -> Outcomes[RowMapping | None]:
        rows = _select(connection, _GET, wanted)
        return [rows.get(place) for place in wanted]

    def _write(self, connection: Connection, groups: Sequence[_Group]) -> Outcomes[Sequence[_Held | None]]:
        held = _select(connection, _LOCK, [write.place for group in groups for write in group.writes])
        changes: dict[Place, Write] = {}
        results = [self._change_all(held, changes, group) for group in groups]
        _carry_out(connection, held, changes)
        return results

    def _change_all(
        self, held: Mapping[Place, RowMapping], changes: dict[Place, Write], group: _Group
    ) -> list[_Held | None]:
        done: list[_Held | None] = []
        for write in group.writes:
            done.append(self._change(held, changes, write))
            if group.in_order and done[-1] is None:
                break
        return done + [None] * (len(group.writes) - len(done))

    def _change(self, held: Mapping[Place, RowMapping], changes: dict[Place, Write], write: Write) -> _Held | None:
        """Note the change if it may be made; give what it put or removed."""
        last = changes.get(write.place)
        before: _Held | None = held.get(write.place) if last is None else last.stored
        if before is not None and not self._stands(before):
            before = None
        revision = 0 if before is None else _of(before, "revision")
        if (before is None) if write.revision is None else (write.revision != revision):
            return None
        if write.stored is None and before is None:
            return None
        changes[write.place] = write
        return before if write.stored is None else write.stored

    def _stands(self, held: _Held) -> bool:
        expires_at: datetime | None = _of(held, "expires_at")
        return expires_at is None or expires_at > self._clock()


def load_document(row: RowMapping) -> Document:
    """Read a row."""
    body: dict[str, Any] = json.loads(row["body"])
    return Document(row["id"], body, unpack_object(row["fields"]), row["revision"], row["expires_at"])


def _of(held: _Held, name: str) -> Any:  # noqa: ANN401  the column's own type
    return getattr(held, name) if isinstance(held, Document) else held[name]


def _select(
    connection: Connection, statements: tuple[Select[Any], Select[Any]], places: Sequence[Place]
) -> dict[Place, RowMapping]:
    """The rows at these places, with a statement for each collection: the first of ``statements`` for one row."""
    of_one, of_many = statements
    rows: dict[Place, RowMapping] = {}
    for of, ids in _by_collection(places):
        statement, wanted = (of_one, ids[0]) if len(ids) == 1 else (of_many, ids)
        found = connection.execute(statement, {"of": of, "wanted": wanted}).mappings()
        rows |= {(of, row["id"]): row for row in found}
    return rows


def _carry_out(connection: Connection, held: Mapping[Place, RowMapping], changes: Mapping[Place, Write]) -> None:
    """Write the last change of each document."""
    ordered = sorted(changes.items())
    gone = [place for place, write in ordered if write.stored is None and place in held]
    new = [_row(place, write.stored) for place, write in ordered if write.stored is not None and place not in held]
    changed = [place for place, write in ordered if write.stored is not None and place in held]
    for of, ids in _by_collection(gone):
        connection.execute(_DELETE, {"of": of, "wanted": ids})
    for of, ids in _by_collection(changed):
        connection.execute(_DELETE_FIELDS, {"of": of, "wanted": ids})
    if new:
        connection.execute(_INSERT, one_or_many(new))
    if changed:
        connection.execute(_UPDATE, one_or_many([_changed(place, changes[place].stored) for place in changed]))
    if fields := [row for _, write in ordered for row in write.fields]:
        connection.execute(_INSERT_FIELDS, one_or_many(fields))


def _by_collection(places: Iterable[Place]) -> Iterable[tuple[str, list[str]]]:
    ids: dict[str, set[str]] = {}
    for of, id_ in places:
        ids.setdefault(of, set()).add(id_)
    return [(of, sorted(ids[of])) for of in sorted(ids)]


def _values(document: Document | None) -> dict[str, Any]:
    assert document is not None  # noqa: S101  callers have looked
    return {
        "revision": document.revision,
        "fields": pack_object(document.fields),
        "body": document.dump_body(),
        "expires_at": document.expires_at,
    }


def _row(place: Place, document: Document | None) -> dict[str, Any]:
    return {"collection": place[0], "id": place[1], **_values(document)}


def _changed(place: Place, document: Document | None) -> dict[str, Any]:
    return {"of": place[0], "wanted": place[1], **{f"new_{name}": value for name, value in _values(document).items()}}
