"""The table ``oauth_tokens``. A write names the row that it replaces, so that no refresh is lost to another."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from latchpin.errors import RecordConflict
from latchpin.model import StoredToken
from latchpin.sdk.stores import NEAR_EXPIRY_AT_MOST, default_of, status_of_times
from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, select, update

from latchpin_sql_store.columns import UtcTime
from latchpin_sql_store.database import Database
from latchpin_sql_store.rows import from_row, to_row
from latchpin_sql_store.tables import tokens

__all__ = ["SqlTokens"]

_OWNER = and_(tokens.c.gateway_id == bindparam("of_gateway"), tokens.c.app_user_email == bindparam("of_user"))
_ACCOUNT = and_(_OWNER, tokens.c.label == bindparam("of_label"))
_GET_OWNER = select(tokens).where(_OWNER)
_GET = select(tokens).where(_ACCOUNT)
_DELETE = delete(tokens).where(_ACCOUNT)
_DELETE_ALL = delete(tokens).where(tokens.c.gateway_id == bindparam("of_gateway"))
_DUE = (
    select(tokens)
    .where(tokens.c.renew_at <= bindparam("now", type_=UtcTime))
    .order_by(tokens.c.renew_at, tokens.c.id)
    .limit(bindparam("most"))
)
_NOW, _SOON = bindparam("now", type_=UtcTime), bindparam("soon", type_=UtcTime)
_USABLE = tokens.c.needs_reauth.is_(False)
_COUNT = select(
    func.sum(case((_USABLE, 0), else_=1)).label("needs_reauth"),
    func.sum(case((and_(_USABLE, tokens.c.expires_at <= _NOW), 1), else_=0)).label("expired"),
    func.sum(case((and_(_USABLE, tokens.c.expires_at > _SOON), 1), else_=0)).label("valid"),
)
_ENDING = select(tokens.c.expires_at, tokens.c.updated_at).where(
    _USABLE, tokens.c.expires_at > _NOW, tokens.c.expires_at <= _SOON
)
"""Which of these few are near their expiry depends on how long each lives; databases reckon with times differently."""
_INSERT = insert(tokens)
_REPLACE = (
    update(tokens)
    .where(_ACCOUNT, tokens.c.id == bindparam("seen_id"), tokens.c.revision == bindparam("seen"))
    .values({column.name: bindparam(f"new_{column.name}") for column in tokens.columns})
)


class SqlTokens:
    """``TokenRecords``; see the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        """Look."""
        owner = {"of_gateway": gateway_id, "of_user": app_user_email}
        account, question = (owner, _GET_OWNER) if label is None else (owner | {"of_label": label}, _GET)

        def run(connection: Connection) -> StoredToken | None:
            rows = connection.execute(question, account).mappings()
            return default_of([from_row(StoredToken, tokens, row) for row in rows])

        same = ("token", gateway_id, app_user_email, *([] if label is None else [label]))
        return await self._database.read(run, absent=None, same=same)

    async def list(
        self, *, gateway_id: str | None = None, app_user_email: str | None = None, label: str | None = None
    ) -> list[StoredToken]:
        """Those that match, oldest first."""
        statement = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        if gateway_id is not None:
            statement = statement.where(tokens.c.gateway_id == gateway_id)
        if app_user_email is not None:
            statement = statement.where(tokens.c.app_user_email == app_user_email)
        if label is not None:
            statement = statement.where(tokens.c.label == label)

        def run(connection: Connection) -> list[StoredToken]:
            return [from_row(StoredToken, tokens, row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def page(self, *, after: str, limit: int) -> builtins.list[StoredToken]:
        """All, by their ids."""
        statement = select(tokens).where(tokens.c.id > after).order_by(tokens.c.id).limit(limit)

        def run(connection: Connection) -> builtins.list[StoredToken]:
            return [from_row(StoredToken, tokens, row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def list_due(self, now: datetime, *, limit: int) -> builtins.list[StoredToken]:
        """Those that are due, the earliest first."""

        def run(connection: Connection) -> builtins.list[StoredToken]:
            return [
                from_row(StoredToken, tokens, row)
                for row in connection.execute(_DUE, {"now": now, "most": limit}).mappings()
            ]

        return await self._database.read(run, absent=[])

    async def count(self, now: datetime) -> Mapping[str, int]:
        """Let the database count."""
        times = {"now": now, "soon": now + NEAR_EXPIRY_AT_MOST}

        def run(connection: Connection) -> Mapping[str, int]:
            row = connection.execute(_COUNT, times).mappings().one()
            found = Counter({status: int(count or 0) for status, count in row.items()})
            found.update(status_of_times(*each, now) for each in connection.execute(_ENDING, times))
            return found

        return await self._database.read(run, absent={})

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        """Compare and swap."""
        row = to_row(tokens, token)
        place = (token.gateway_id, token.app_user_email, token.label)
        if replacing is None:
            await self._database.write(*place, run=lambda connection: connection.execute(_INSERT, row))
            return
        values = {f"new_{name}": value for name, value in row.items()}
        values |= _account(*place)
        values |= {"seen_id": replacing.id, "seen": replacing.revision}

        def run(connection: Connection) -> None:
            if not connection.execute(_REPLACE, values).rowcount:
                raise RecordConflict("the token was replaced or deleted meanwhile")

        await self._database.write(*place, run=run)

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
        """Remove one."""
        place = (gateway_id, app_user_email, label)
        account = _account(*place)
        return await self._database.write(
            *place, run=lambda connection: bool(connection.execute(_DELETE, account).rowcount)
        )

    async def delete_all(self, gateway_id: str) -> int:
        """Remove every user's."""
        owner = {"of_gateway": gateway_id}
        return await self._database.write(
            gateway_id, run=lambda connection: connection.execute(_DELETE_ALL, owner).rowcount
        )


def _account(gateway_id: str, app_user_email: str, label: str) -> dict[str, Any]:
    return {"of_gateway": gateway_id, "of_user": app_user_email, "of_label": label}
