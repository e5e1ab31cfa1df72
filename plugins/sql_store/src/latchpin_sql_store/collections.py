"""The tables ``documents`` and ``document_fields``: what plugins keep."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
)

from latchpin_sql_store.database import Database
from latchpin_sql_store.document_lanes import DocumentLanes, Write, load_document
from latchpin_sql_store.faults import Duplicate, Unstorable
from latchpin_sql_store.tables import document_fields, documents

__all__ = ["SqlCollection", "purge_documents"]

PURGED_AT_ONCE = 1000


class SqlCollection:
    """``Collection``; see the contract."""

    def __init__(self, spec: CollectionSpec, lanes: DocumentLanes, database: Database, clock: Clock) -> None:
        self._spec = spec
        self._name = spec.name
        self._indexes = frozenset(spec.indexes)
        self._lanes = lanes
        self._database = database
        self._clock = clock

    async def put(self, document: Document) -> Document:
        """Compare and swap."""
        (stored,) = await self.put_all([document])
        if stored is None:
            raise RecordConflict(f"{self._name}: another revision of a document is stored")
        return stored

    async def put_all(self, documents: Sequence[Document], *, in_order: bool = False) -> Sequence[Document | None]:
        """Compare and swap each."""
        try:
            return await self._lanes.write([self._put(document) for document in documents], in_order=in_order)
        except Duplicate:
            return [None] * len(documents)

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Look."""
        return await self._lanes.get((self._name, id))

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
            return [load_document(row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """How many there are."""
        _, statement = self._select(index, within, [func.count()])
        return await self._database.read(lambda connection: connection.execute(statement).scalar_one(), absent=0)

    async def _remove(self, id_: str, revision: int | None) -> Document | None:
        try:
            (removed,) = await self._lanes.write([Write((self._name, id_), None, revision=revision)])
        except Unstorable:  # no row can have such an id
            return None
        return removed

    def _put(self, document: Document) -> Write:
        stored = document.written()
        return Write((self._name, document.id), stored, self._field_rows(stored), document.revision)

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


async def purge_documents(database: Database, now: datetime) -> int:
    """Remove what expired, of all collections, a limited number in each transaction. Return how many."""
    over = (
        select(documents.c.collection.label("of"), documents.c.id.label("wanted"))
        .where(documents.c.expires_at <= now)
        .order_by(documents.c.collection, documents.c.id)
        .limit(PURGED_AT_ONCE)
    )
    this = (documents.c.collection == bindparam("of"), documents.c.id == bindparam("wanted"))
    gone = delete(documents).where(*this, documents.c.expires_at <= now)

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
