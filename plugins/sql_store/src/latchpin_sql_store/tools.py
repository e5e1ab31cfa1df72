"""The table ``tools``: what each user was shown by each MCP server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from latchpin.contracts import Clock
from latchpin.model import StoredTool, ToolChanges
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import pack, pack_object, unpack_object
from latchpin_sql_store.tables import gateways, tools

__all__ = ["SqlTools"]

_OWNER = and_(tools.c.gateway_id == bindparam("of_gateway"), tools.c.app_user_email == bindparam("of_user"))
_LIST = select(tools).where(_OWNER)
_LOCK_GATEWAY = select(gateways.c.id).where(gateways.c.id == bindparam("of_gateway")).with_for_update()
_KNOWN = select(tools.c.id, tools.c.definition).where(_OWNER)
_UPDATE = update(tools).where(tools.c.id == bindparam("wanted"))
_DELETE = delete(tools).where(tools.c.id == bindparam("wanted"))


class SqlTools:
    """``ToolRecords``; see the contract."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, gateway_id: str, app_user_email: str) -> list[StoredTool]:
        """One user's tools of a gateway, by name."""
        owner = {"of_gateway": gateway_id, "of_user": app_user_email}

        def run(connection: Connection) -> list[StoredTool]:
            found = [_from_row(row) for row in connection.execute(_LIST, owner).mappings()]
            return sorted(found, key=lambda tool: tool.name)  # a database's own order depends on its language

        return await self._database.read(run, absent=[])

    async def replace(
        self, gateway_id: str, app_user_email: str, definitions: Mapping[str, Mapping[str, Any]]
    ) -> ToolChanges:
        """Make ``definitions`` the user's tools."""
        now = self._clock()
        wanted = {_id(gateway_id, app_user_email, name): (name, pack_object(d)) for name, d in definitions.items()}
        owner = {"of_gateway": gateway_id, "of_user": app_user_email}

        def run(connection: Connection) -> ToolChanges:
            # Two replacements for one user at once would both insert; the gateway's row makes them take turns.
            connection.execute(_LOCK_GATEWAY, owner).all()
            known: dict[str, str] = {row.id: row.definition for row in connection.execute(_KNOWN, owner)}
            created = sorted(wanted.keys() - known.keys())
            updated = sorted(key for key in wanted.keys() & known.keys() if wanted[key][1] != known[key])
            removed = sorted(known.keys() - wanted.keys())
            if removed:
                connection.execute(_DELETE, [{"wanted": key} for key in removed])
            if updated:
                changes = [{"wanted": key, "definition": wanted[key][1], "updated_at": now} for key in updated]
                connection.execute(_UPDATE, changes)
            if created:
                connection.execute(insert(tools), [_to_row(key, owner, *wanted[key], now) for key in created])
            return ToolChanges(len(created), len(updated), len(removed))

        return await self._database.write(gateway_id, app_user_email, run=run)


def _id(gateway_id: str, app_user_email: str, name: str) -> str:
    # A server may give names longer than any index takes.
    return hashlib.sha256(pack((gateway_id, app_user_email, name)).encode()).hexdigest()


def _to_row(key: str, owner: Mapping[str, str], name: str, definition: str, now: datetime) -> dict[str, Any]:
    return {
        "id": key,
        "gateway_id": owner["of_gateway"],
        "app_user_email": owner["of_user"],
        "name": name,
        "definition": definition,
        "created_at": now,
        "updated_at": now,
    }


def _from_row(row: RowMapping) -> StoredTool:
    return StoredTool(
        gateway_id=row["gateway_id"],
        app_user_email=row["app_user_email"],
        name=row["name"],
        definition=unpack_object(row["definition"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
