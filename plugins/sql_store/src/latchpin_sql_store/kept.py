"""The table ``kept_values``: the first writer wins until the value expires."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, RecordConflict
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.tables import kept

__all__ = ["SqlKept"]

_GET = select(kept).where(kept.c.name == bindparam("wanted"))
_LOCK = _GET.with_for_update()
_REPLACE = update(kept).where(kept.c.name == bindparam("wanted"))
_DELETE = delete(kept).where(kept.c.name == bindparam("wanted"))
_ATTEMPTS = 5


class SqlKept:
    """``KeptRecords``; see the contract."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, name: str, value: str, *, expires_at: datetime | None = None) -> str:
        """Keep ``value`` unless an unexpired one stands; return the one that stands."""

        def run(connection: Connection) -> str:
            row = connection.execute(_LOCK, {"wanted": name}).mappings().first()
            if row is not None and self._stands(row):
                return str(row["value"])
            values = {"value": value, "expires_at": expires_at}
            if row is None:
                connection.execute(insert(kept), {"name": name, **values})
            else:
                connection.execute(_REPLACE.values(values), {"wanted": name})
            return value

        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write("", name, run=run)
            except RecordConflict:  # another process was first, between our look and our write: look again
                continue
        raise BackendUnavailable("a kept value is written and taken faster than it can be read")

    async def get(self, name: str) -> str | None:
        """Look."""

        def run(connection: Connection) -> str | None:
            row = connection.execute(_GET, {"wanted": name}).mappings().first()
            return str(row["value"]) if row is not None and self._stands(row) else None

        return await self._database.read(run, absent=None)

    async def list(self, prefix: str) -> Mapping[str, str]:
        """Those whose name begins with ``prefix``."""
        # Not LIKE: on SQLite it takes A for a, and % and _ would stand for others.
        statement = select(kept).where(func.substr(kept.c.name, 1, len(prefix)) == prefix)

        def run(connection: Connection) -> Mapping[str, str]:
            rows = connection.execute(statement).mappings().all()
            return {str(row["name"]): str(row["value"]) for row in rows if self._stands(row)}

        return await self._database.read(run, absent={})

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        """Remove and return it: one caller gets it."""

        def run(connection: Connection) -> str | None:
            row = connection.execute(_LOCK, {"wanted": name}).mappings().first()
            if row is None or not self._stands(row):
                return None
            found = str(row["value"])
            if value is not None and not hmac.compare_digest(found.encode(), value.encode()):
                return None
            connection.execute(_DELETE, {"wanted": name})
            return found

        return await self._database.write("", name, run=run)

    async def purge(self) -> int:
        """Remove what expired."""
        statement = delete(kept).where(kept.c.expires_at <= self._clock())
        return await self._database.write("", run=lambda connection: connection.execute(statement).rowcount)

    def _stands(self, row: RowMapping) -> bool:
        expires_at: datetime | None = row["expires_at"]
        return expires_at is None or expires_at > self._clock()
