"""The tables ``documents`` and ``document_fields``: what plugins keep."""

from __future__ import annotations

import builtins
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from latchpin_sql_store.columns import pack_object, unpack_object
from latchpin_sql_store.database import Database
from latchpin_sql_store.faults import Unstorable
from latchpin_sql_store.tables import document_fields, documents

__all__ = ["SqlCollection", "purge_documents"]

PURGED_AT_ONCE = 1000

_THIS = and_(documents.c.collection == bindparam("of"), documents.c.id == bindparam("wanted"))
_GET = select(documents).where(_THIS)
_LOCK = _GET.with_for_update()
_LOCK_ALL = (
    select(documents.c.id, documents.c.revision, documents.c.expires_at)
    .where(documents.c.collection == bindparam("of"), documents.c.id.in_(bindparam("wanted", expanding=True)))
    .order_by(documents.c.id)
    .with_for_update()
)
_INSERT = insert(documents)
_UPDATE = (
    update(documents)
    .where(_THIS)
    .values({name: bindparam(f"new_{name}") for name in ("revision", "fields", "body", "expires_at")})
)
_DELETE = delete(documents).where(_THIS)  # the fields go with it
_INSERT_FIELDS = insert(document_fields)
_DELETE_FIELDS = delete(document_fields).where(
    document_fields.c.collection == bindparam("of"), document_fields.c.id == bindparam("wanted")
)


class SqlCollection:
    """``Collection``; see the contract."""

    def __init__(self, spec: CollectionSpec, database: Database, clock: Clock) -> None:
        self._spec = spec
        self._name = spec.name
        self._indexes = frozenset(spec.indexes)
        self._database = database
        self._clock = clock

    async def put(self, document: Document) -> Document:
        """Compare and swap."""
        stored = document.written()
        values = _values(stored)

        def run(connection: Connection) -> None:
            row = connection.execute(_LOCK, self._this(document.id)).mappings().first()
            if not self._may_replace(row, document):
                raise RecordConflict(f"{self._name}: another revision of a document is stored")
            if row is None:
                connection.execute(_INSERT, {"collection": self._name, "id": document.id, **values})
            else:
                connection.execute(_UPDATE, self._this(document.id) | _renamed(values))
                connection.execute(_DELETE_FIELDS, self._this(document.id))
            if fields := self._field_rows(stored):
                connection.execute(_INSERT_FIELDS, fields)

        await self._database.write("", "documents", self._name, document.id, run=run)
        return stored

    async def put_all(self, documents: Sequence[Document]) -> Sequence[Document | None]:
        """Compare and swap each, with one statement of each kind for all."""
        pairs = sorted(((each, each.written()) for each in documents), key=lambda pair: pair[0].id)
        wanted = [document.id for document, _ in pairs]

        def run(connection: Connection) -> dict[str, Document]:
            rows = connection.execute(_LOCK_ALL, {"of": self._name, "wanted": wanted}).mappings()
            held: dict[str, RowMapping] = {row["id"]: row for row in rows}
            good = [stored for document, stored in pairs if self._may_replace(held.get(document.id), document)]
            new = [{"collection": self._name, "id": each.id, **_values(each)} for each in good if each.id not in held]
            changed = [self._this(each.id) | _renamed(_values(each)) for each in good if each.id in held]
            if new:
                connection.execute(_INSERT, new)
            if changed:
                connection.execute(_UPDATE, changed)
                connection.execute(_DELETE_FIELDS, [self._this(each.id) for each in good if each.id in held])
            if fields := [row for each in good for row in self._field_rows(each)]:
                connection.execute(_INSERT_FIELDS, fields)
            return {each.id: each for each in good}

        try:
            good = await self._database.write("", "documents", self._name, run=run)
        except RecordConflict:  # another process put one of them at the same moment
            return [None] * len(documents)
        return [good.get(each.id) for each in documents]

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Look."""

        def run(connection: Connection) -> Document | None:
            row = connection.execute(_GET, self._this(id)).mappings().first()
            return _load(row) if row is not None and self._stands(row) else None

        return await self._database.read(run, absent=None)

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
        """Those of a part of an index, in its order."""
        value, statement = self._select(index, within, documents.c)
        order = (value, documents.c.id)
        if after is not None:
            statement = statement.where(_behind(order, after, newest_first=newest_first))
        statement = statement.order_by(*(column.desc() if newest_first else column for column in order)).limit(limit)

        def run(connection: Connection) -> builtins.list[Document]:
            return [_load(row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """How many there are."""
        _, statement = self._select(index, within, [func.count()])
        return await self._database.read(lambda connection: connection.execute(statement).scalar_one(), absent=0)

    async def _remove(self, id_: str, revision: int | None) -> Document | None:
        def run(connection: Connection) -> Document | None:
            row = connection.execute(_LOCK, self._this(id_)).mappings().first()
            if row is None or not self._stands(row) or revision not in {None, row["revision"]}:
                return None
            connection.execute(_DELETE, self._this(id_))
            return _load(row)

        try:
            return await self._database.write("", "documents", self._name, id_, run=run)
        except Unstorable:  # no row can have such an id
            return None

    def _select(
        self,
        index: str,
        within: Span,
        columns: Sequence[Any] | Any,  # noqa: ANN401  SQLAlchemy's collections
    ) -> tuple[ColumnElement[str], Select[Any]]:
        """The column that an index sorts by, and what selects its standing documents."""
        self._spec.require_index(index)
        now = self._clock()
        standing = or_(documents.c.expires_at.is_(None), documents.c.expires_at > now)
        statement = select(*columns).where(documents.c.collection == self._name, standing)
        value: ColumnElement[str] = documents.c.id
        if index != ID_INDEX:
            value = document_fields.c.value
            same = and_(document_fields.c.collection == documents.c.collection, document_fields.c.id == documents.c.id)
            statement = statement.join_from(documents, document_fields, same).where(
                document_fields.c.collection == self._name, document_fields.c.field == index
            )
        statement = statement.where(value >= within.begin)
        return value, statement if within.end is None else statement.where(value < within.end)

    def _field_rows(self, document: Document) -> list[dict[str, str]]:
        return [
            {"collection": self._name, "field": name, "value": value, "id": document.id}
            for name, value in sorted(document.fields.items())
            if name in self._indexes
        ]

    def _this(self, id_: str) -> dict[str, Any]:
        return {"of": self._name, "wanted": id_}

    def _may_replace(self, row: RowMapping | None, document: Document) -> bool:
        stands = row is not None and self._stands(row)
        return (row["revision"] if row is not None and stands else 0) == document.revision

    def _stands(self, row: RowMapping) -> bool:
        expires_at: datetime | None = row["expires_at"]
        return expires_at is None or expires_at > self._clock()


async def purge_documents(database: Database, now: datetime) -> int:
    """Remove what expired, of all collections, a limited number in each transaction. Return how many."""
    over = (
        select(documents.c.collection.label("of"), documents.c.id.label("wanted"))
        .where(documents.c.expires_at <= now)
        .order_by(documents.c.collection, documents.c.id)
        .limit(PURGED_AT_ONCE)
    )
    gone = delete(documents).where(_THIS, documents.c.expires_at <= now)

    def run(connection: Connection) -> int:
        rows = [dict(row) for row in connection.execute(over).mappings()]
        if rows:
            connection.execute(gone, rows)
        return len(rows)

    total = 0
    while True:
        count = await database.write("", "documents", run=run)
        total += count
        if count < PURGED_AT_ONCE:
            return total


def _behind(
    order: tuple[ColumnElement[str], ColumnElement[str]], after: tuple[str, str], *, newest_first: bool
) -> ColumnElement[bool]:
    (value, id_), (seen_value, seen_id) = order, after
    if newest_first:
        return or_(value < seen_value, and_(value == seen_value, id_ < seen_id))
    return or_(value > seen_value, and_(value == seen_value, id_ > seen_id))


def _values(document: Document) -> dict[str, Any]:
    return {
        "revision": document.revision,
        "fields": pack_object(document.fields),
        "body": document.dump_body(),
        "expires_at": document.expires_at,
    }


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _load(row: RowMapping) -> Document:
    body: dict[str, Any] = json.loads(row["body"])
    return Document(row["id"], body, unpack_object(row["fields"]), row["revision"], row["expires_at"])
