"""What must last, in seven tables; one module for each."""

from __future__ import annotations

import secrets

from latchpin.contracts import Clock
from sqlalchemy import Connection, delete, insert, select

from latchpin_sql_store.audit import SqlAudit
from latchpin_sql_store.clients import SqlClients
from latchpin_sql_store.database import Database
from latchpin_sql_store.flows import SqlFlows
from latchpin_sql_store.gateways import SqlGateways
from latchpin_sql_store.kept import SqlKept
from latchpin_sql_store.tables import gateways, kept
from latchpin_sql_store.tokens import SqlTokens
from latchpin_sql_store.tools import SqlTools

__all__ = ["SqlRecords"]


class SqlRecords:
    """A ``RecordStore``; see the contract. Foreign keys take along what belongs to a deleted gateway."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.gateways = SqlGateways(database)
        self.tokens = SqlTokens(database)
        self.clients = SqlClients(database)
        self.tools = SqlTools(database, clock)
        self.kept = SqlKept(database, clock)
        self.flows = SqlFlows(database)
        self.audit = SqlAudit(database)

    async def purge(self) -> int:
        """Remove expired kept values."""
        return await self.kept.purge()

    async def check(self) -> None:
        """Write a row and take it back, and read."""
        name = f"check:{secrets.token_hex(16)}"

        def run(connection: Connection) -> None:
            connection.execute(insert(kept), {"name": name, "value": "", "expires_at": None})
            connection.execute(delete(kept).where(kept.c.name == name))

        await self._database.write("", name, run=run)
        await self._database.read(_look, absent=None)


def _look(connection: Connection) -> None:
    connection.execute(select(gateways.c.id).limit(1)).all()
