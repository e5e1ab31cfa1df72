"""The table ``gateways``. The OAuth settings are one JSON object, its client secret sealed."""

from __future__ import annotations

from latchpin.errors import RecordConflict
from latchpin.model import Gateway
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import from_row, to_row
from latchpin_sql_store.tables import gateways

__all__ = ["SqlGateways"]

_GET = select(gateways).where(gateways.c.id == bindparam("wanted"))
_ALL = select(gateways).order_by(gateways.c.created_at, gateways.c.id)
_REPLACE = update(gateways).where(gateways.c.id == bindparam("wanted"), gateways.c.revision == bindparam("seen"))
_DELETE = delete(gateways).where(gateways.c.id == bindparam("wanted"))


class SqlGateways:
    """``GatewayRecords``; see the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, gateway: Gateway) -> None:
        """Create."""
        row = to_row(gateways, gateway)
        await self._database.write(gateway.id, run=lambda connection: connection.execute(insert(gateways), row))

    async def get(self, gateway_id: str) -> Gateway | None:
        """Look."""

        def run(connection: Connection) -> Gateway | None:
            row = connection.execute(_GET, {"wanted": gateway_id}).mappings().first()
            return None if row is None else from_row(Gateway, gateways, row)

        return await self._database.read(run, absent=None, same=("gateway", gateway_id))

    async def list(self) -> list[Gateway]:
        """All, oldest first."""

        def run(connection: Connection) -> list[Gateway]:
            return [from_row(Gateway, gateways, row) for row in connection.execute(_ALL).mappings()]

        return await self._database.read(run, absent=[])

    async def replace(self, gateway: Gateway) -> None:
        """Write over the revision before."""
        row = to_row(gateways, gateway)
        statement = _REPLACE.values(row)
        seen = {"wanted": gateway.id, "seen": gateway.revision - 1}

        def run(connection: Connection) -> None:
            if not connection.execute(statement, seen).rowcount:
                raise RecordConflict("the gateway was changed or deleted meanwhile")

        await self._database.write(gateway.id, run=run)

    async def delete(self, gateway_id: str) -> bool:
        """Remove it with everything that belongs to it."""

        def run(connection: Connection) -> bool:
            return bool(connection.execute(_DELETE, {"wanted": gateway_id}).rowcount)

        return await self._database.write(gateway_id, run=run)
