"""The table ``audit_log``: a row for each entry; its number is the primary key, so no two can follow on one."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from latchpin.errors import RecordConflict
from latchpin.model import AuditEntry
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select

from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import pack_object, unpack_object
from latchpin_sql_store.tables import audit

__all__ = ["SqlAudit"]

_INSERT = insert(audit)
_HEAD = select(func.max(audit.c.number))
_PURGE = delete(audit).where(audit.c.number <= bindparam("through"))
_LAST = select(audit).order_by(audit.c.number.desc()).limit(1)
_LIST = select(audit).where(audit.c.number > bindparam("after")).order_by(audit.c.number).limit(bindparam("most"))


class SqlAudit:
    """``AuditRecords``; see the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add them behind the last; of two processes that add the same number the primary key lets one win."""
        if not entries:
            return

        def run(connection: Connection) -> None:
            head = connection.execute(_HEAD).scalar() or 0
            if head != entries[0].number - 1:
                raise RecordConflict(f"the audit log has {head} entries")
            connection.execute(_INSERT, [_to_row(entry) for entry in entries])

        await self._database.write("", "audit", run=run)

    async def last(self) -> AuditEntry | None:
        """The newest."""

        def run(connection: Connection) -> AuditEntry | None:
            row = connection.execute(_LAST).mappings().first()
            return None if row is None else _from_row(row)

        return await self._database.read(run, absent=None)

    async def list(self, *, after: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """Those behind ``after``."""

        def run(connection: Connection) -> builtins.list[AuditEntry]:
            return [_from_row(row) for row in connection.execute(_LIST, {"after": after, "most": limit}).mappings()]

        return await self._database.read(run, absent=[])

    async def purge(self, *, through: int) -> int:
        """Remove the oldest, but never the last."""

        def run(connection: Connection) -> int:
            head = connection.execute(_HEAD).scalar() or 0
            return connection.execute(_PURGE, {"through": min(through, head - 1)}).rowcount

        return await self._database.write("", "audit", run=run)


def _to_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "event": entry.event,
        "actor": entry.actor,
        "subject": entry.subject,
        "gateway_id": entry.gateway_id,
        "facts": pack_object(entry.facts),
        "previous": entry.previous,
        "key_id": entry.key_id,
        "signature": entry.signature,
    }


def _from_row(row: RowMapping) -> AuditEntry:
    return AuditEntry(**dict(row) | {"facts": unpack_object(row["facts"])})
