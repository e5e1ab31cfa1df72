"""The table ``registered_oauth_clients``."""

from __future__ import annotations

from latchpin.errors import RecordConflict
from latchpin.model import RegisteredClient
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import from_row, to_row
from latchpin_sql_store.tables import clients

__all__ = ["SqlClients"]

_GET = select(clients).where(
    clients.c.gateway_id == bindparam("of_gateway"), clients.c.issuer == bindparam("of_issuer")
)
_LOCK = select(clients).where(clients.c.id == bindparam("wanted")).with_for_update()
_REPLACE = update(clients).where(clients.c.id == bindparam("wanted"))
_DELETE = delete(clients).where(clients.c.id == bindparam("wanted"))


class SqlClients:
    """``ClientRecords``; see the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        """Look."""
        key = {"of_gateway": gateway_id, "of_issuer": issuer}

        def run(connection: Connection) -> RegisteredClient | None:
            row = connection.execute(_GET, key).mappings().first()
            return None if row is None else from_row(RegisteredClient, clients, row)

        return await self._database.read(run, absent=None)

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        """All, or one gateway's, oldest first."""
        statement = select(clients).order_by(clients.c.created_at, clients.c.id)
        if gateway_id is not None:
            statement = statement.where(clients.c.gateway_id == gateway_id)

        def run(connection: Connection) -> list[RegisteredClient]:
            return [from_row(RegisteredClient, clients, row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def put(self, client: RegisteredClient) -> None:
        """Create."""
        row = to_row(clients, client)
        await self._database.write(
            client.gateway_id, client.issuer, run=lambda connection: connection.execute(insert(clients), row)
        )

    async def replace(self, client: RegisteredClient, *, replacing: RegisteredClient) -> None:
        """Write ``client`` over ``replacing``; see ``ReplacingClients``."""
        row = to_row(clients, client)

        def run(connection: Connection) -> None:
            held = connection.execute(_LOCK, {"wanted": replacing.id}).mappings().first()
            if held is None or from_row(RegisteredClient, clients, held) != replacing:
                raise RecordConflict("the client was changed or deleted meanwhile")
            connection.execute(_REPLACE, row | {"wanted": replacing.id})

        await self._database.write(client.gateway_id, client.issuer, run=run)

    async def delete(self, id: str) -> bool:  # noqa: A002  the contract's name
        """Remove by the row's id."""
        return await self._database.write(
            "", id, run=lambda connection: bool(connection.execute(_DELETE, {"wanted": id}).rowcount)
        )
