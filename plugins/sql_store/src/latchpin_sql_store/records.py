"""What must last, one module for each kind."""

from __future__ import annotations

import secrets

from latchpin.contracts import Clock
from latchpin.model import CollectionSpec
from sqlalchemy import Connection, delete, insert, select

from latchpin_sql_store.clients import SqlClients
from latchpin_sql_store.collections import SqlCollection, purge_documents
from latchpin_sql_store.database import Database
from latchpin_sql_store.document_lanes import DocumentLanes
from latchpin_sql_store.gateways import SqlGateways
from latchpin_sql_store.tables import documents, gateways
from latchpin_sql_store.tokens import SqlTokens

__all__ = ["SqlRecords"]


class SqlRecords:
    """A ``RecordStore``; see the contract. Foreign keys take along what belongs to a deleted gateway."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lanes = DocumentLanes(database, clock)
        self.gateways = SqlGateways(database)
        self.tokens = SqlTokens(database)
        self.clients = SqlClients(database)

    def collection(self, spec: CollectionSpec) -> SqlCollection:
        """The documents of a plugin."""
        return SqlCollection(spec, self._lanes, self._database, self._clock)

    async def purge(self) -> int:
        """Remove expired documents. Return how many."""
        return await purge_documents(self._database, self._clock())

    async def check(self) -> None:
        """Write a row and take it back, and read."""
        probe = {"collection": "check", "id": secrets.token_hex(16), "revision": 1, "fields": "{}", "body": "{}"}

        def run(connection: Connection) -> None:
            connection.execute(insert(documents), probe)
            connection.execute(delete(documents).where(documents.c.id == probe["id"]))

        await self._database.write("", "documents", "check", str(probe["id"]), run=run)
        await self._database.read(_look, absent=None)


def _look(connection: Connection) -> None:
    connection.execute(select(gateways.c.id).limit(1)).all()
