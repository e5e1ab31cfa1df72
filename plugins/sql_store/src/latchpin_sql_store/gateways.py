"""The table ``gateways``. The OAuth settings are one JSON object, its client secret sealed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from latchpin.errors import RecordConflict
from latchpin.model import Gateway, OAuthConfig
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import pack, pack_object, unpack, unpack_object
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
        row = _to_row(gateway)
        await self._database.write(gateway.id, run=lambda connection: connection.execute(insert(gateways), row))

    async def get(self, gateway_id: str) -> Gateway | None:
        """Look."""

        def run(connection: Connection) -> Gateway | None:
            row = connection.execute(_GET, {"wanted": gateway_id}).mappings().first()
            return None if row is None else _from_row(row)

        return await self._database.read(run, absent=None, same=("gateway", gateway_id))

    async def list(self) -> list[Gateway]:
        """All, oldest first."""

        def run(connection: Connection) -> list[Gateway]:
            return [_from_row(row) for row in connection.execute(_ALL).mappings()]

        return await self._database.read(run, absent=[])

    async def replace(self, gateway: Gateway) -> None:
        """Write over the revision before."""
        row = _to_row(gateway)
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


def _to_row(gateway: Gateway) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "name": gateway.name,
        "url": gateway.url,
        "auth_type": gateway.auth_type,
        "allowed_users": pack(gateway.allowed_users),
        "oauth_config": None if gateway.oauth is None else _pack_oauth(gateway.oauth),
        "pinned_issuer": gateway.pinned_issuer,
        "revision": gateway.revision,
        "created_at": gateway.created_at,
        "updated_at": gateway.updated_at,
    }


def _from_row(row: RowMapping) -> Gateway:
    return Gateway(
        id=row["id"],
        name=row["name"],
        url=row["url"],
        auth_type=row["auth_type"],
        allowed_users=unpack(row["allowed_users"]),
        oauth=None if row["oauth_config"] is None else _unpack_oauth(row["oauth_config"]),
        pinned_issuer=row["pinned_issuer"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _pack_oauth(oauth: OAuthConfig) -> str:
    values = {field.name: getattr(oauth, field.name) for field in fields(oauth)}
    values["extra_authorize_params"] = dict(oauth.extra_authorize_params)
    return pack_object(values)


def _unpack_oauth(text: str) -> OAuthConfig:
    values = unpack_object(text)
    values["scopes"] = tuple(values["scopes"])
    return OAuthConfig(**values)
