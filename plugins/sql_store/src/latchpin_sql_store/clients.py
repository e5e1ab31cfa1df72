"""The table ``registered_oauth_clients``."""

from __future__ import annotations

from typing import Any

from latchpin.model import RegisteredClient, Sealed
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import pack, unpack
from latchpin_sql_store.tables import clients

__all__ = ["SqlClients"]

_GET = select(clients).where(
    clients.c.gateway_id == bindparam("of_gateway"), clients.c.issuer == bindparam("of_issuer")
)
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
            return None if row is None else _from_row(row)

        return await self._database.read(run, absent=None)

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        """All, or one gateway's, oldest first."""
        statement = select(clients).order_by(clients.c.created_at, clients.c.id)
        if gateway_id is not None:
            statement = statement.where(clients.c.gateway_id == gateway_id)

        def run(connection: Connection) -> list[RegisteredClient]:
            return [_from_row(row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def put(self, client: RegisteredClient) -> None:
        """Create."""
        row = _to_row(client)
        await self._database.write(
            client.gateway_id, client.issuer, run=lambda connection: connection.execute(insert(clients), row)
        )

    async def delete(self, id: str) -> bool:  # noqa: A002  the contract's name
        """Remove by the row's id."""
        return await self._database.write(
            "", id, run=lambda connection: bool(connection.execute(_DELETE, {"wanted": id}).rowcount)
        )


def _to_row(client: RegisteredClient) -> dict[str, Any]:
    return {
        "id": client.id,
        "gateway_id": client.gateway_id,
        "issuer": client.issuer,
        "client_id": client.client_id,
        "client_secret_encrypted": client.client_secret,
        "redirect_uris": pack(client.redirect_uris),
        "grant_types": pack(client.grant_types),
        "scope": client.scope,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "registration_client_uri": client.registration_client_uri,
        "registration_access_token_encrypted": client.registration_access_token,
        "created_at": client.created_at,
        "expires_at": client.expires_at,
        "is_active": client.is_active,
    }


def _from_row(row: RowMapping) -> RegisteredClient:
    secret = row["client_secret_encrypted"]
    access = row["registration_access_token_encrypted"]
    return RegisteredClient(
        id=row["id"],
        gateway_id=row["gateway_id"],
        issuer=row["issuer"],
        client_id=row["client_id"],
        client_secret=None if secret is None else Sealed(secret),
        redirect_uris=unpack(row["redirect_uris"]),
        grant_types=unpack(row["grant_types"]),
        scope=row["scope"],
        token_endpoint_auth_method=row["token_endpoint_auth_method"],
        registration_client_uri=row["registration_client_uri"],
        registration_access_token=None if access is None else Sealed(access),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        is_active=row["is_active"],
    )
