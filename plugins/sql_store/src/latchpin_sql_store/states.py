"""Pending authorizations in the table ``oauth_states``.

Puts and consumes that wait at the same time go out together. In one transaction: all INSERTs in the order of their
states, one SELECT ... FOR UPDATE of the keys in theirs, one UPDATE that makes tombstones of the winners' rows. Every
process locks in the same order, so none waits for another in a circle; the lock (on SQLite: BEGIN IMMEDIATE) lets
one of them win.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock, StoreFacts
from latchpin.errors import StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, Sealed, StateKey
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from latchpin_sql_store.collections import SqlCollection
from latchpin_sql_store.database import Database
from latchpin_sql_store.document_lanes import DocumentLanes
from latchpin_sql_store.faults import Duplicate, Unstorable
from latchpin_sql_store.origin import ORIGIN, read_facts
from latchpin_sql_store.rows import one_or_many
from latchpin_sql_store.tables import states
from latchpin_sql_store.write_queue import Outcomes

__all__ = ["SqlStates"]

_INSERT = insert(states)
_LOCK = (
    select(states)
    .where(states.c.state.in_(bindparam("wanted", expanding=True)))
    .order_by(states.c.state)
    .with_for_update()
)
_BURY = (
    update(states)
    .where(states.c.id.in_(bindparam("won", expanding=True)))
    .values(used=True, used_at=bindparam("now"), code_verifier=None)
)

_PURGE = delete(states).where(states.c.id.in_(bindparam("over", expanding=True)))
PURGED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class _Put:
    pending: PendingAuthorization


@dataclass(frozen=True, slots=True)
class _Consume:
    key: StateKey


class SqlStates:
    """A ``StateStore``; see the contract."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lane = database.write_lane(self._apply)
        self._origin = SqlCollection(ORIGIN, DocumentLanes(database, clock), database, clock)

    async def put(self, pending: PendingAuthorization) -> None:
        """Keep ``pending``."""
        try:
            await self._lane.submit(_Put(pending))
        except Duplicate:
            raise StateConflict("the state was put before") from None

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Take the authorization: one caller gets it."""
        try:
            taken = await self._lane.submit(_Consume(key))
        except Unstorable:  # no row can hold such a key
            taken = None
        if taken is None:
            raise StateNotFound("the database does not know the state")
        return taken

    async def purge(self, *, everything: bool = False) -> int:
        """Remove what is past its time, or all, a limited number in each transaction: nobody waits long behind it."""
        over = select(states.c.id).order_by(states.c.expires_at).limit(PURGED_AT_ONCE)
        if not everything:
            over = over.where(states.c.expires_at <= self._clock())

        def run(connection: Connection) -> tuple[int, int]:
            found = connection.execute(over).scalars().all()
            return len(found), connection.execute(_PURGE, {"over": sorted(found)}).rowcount if found else 0

        removed, found = 0, PURGED_AT_ONCE
        while found == PURGED_AT_ONCE:
            found, gone = await self._database.write("", run=run)
            removed += gone
        return removed

    async def check(self) -> None:
        """Insert a row and take it back."""
        now = self._clock()
        token = secrets.token_hex(16)
        key = StateKey("check", f"check.{token}")
        probe = PendingAuthorization(
            token, key, Sealed(""), "", "", None, False, "", "", None, (), now, now - timedelta(seconds=1)
        )

        def run(connection: Connection) -> None:
            connection.execute(_INSERT, _to_row(probe))
            connection.execute(delete(states).where(states.c.id == token))

        await self._database.write("", run=run)

    async def facts(self) -> StoreFacts:
        """Tell what these data are called and since when, and what time the database server has."""
        return await read_facts(self._database, self._origin, self._clock)

    def _apply(self, connection: Connection, items: Sequence[_Put | _Consume]) -> Outcomes[PendingAuthorization | None]:
        # In their order too: two processes that put the same states the other way round would wait in a circle.
        new = sorted((item.pending for item in items if isinstance(item, _Put)), key=lambda each: each.key.state)
        if new:
            connection.execute(_INSERT, one_or_many([_to_row(pending) for pending in new]))
        keys = sorted({item.key.state for item in items if isinstance(item, _Consume)})
        if not keys:
            return [None] * len(items)
        now = self._clock()
        found = {row["state"]: row for row in connection.execute(_LOCK, {"wanted": keys}).mappings()}
        winners = [row["id"] for row in found.values() if not row["used"] and row["expires_at"] > now]
        if winners:
            connection.execute(_BURY, {"won": winners, "now": now})
        return _hand_out(items, found, now)


def _hand_out(
    items: Sequence[_Put | _Consume], found: dict[str, RowMapping], now: datetime
) -> Outcomes[PendingAuthorization | None]:
    """Give each row to the first that asked for it; tell the others what they met."""
    taken: set[str] = set()
    results: list[PendingAuthorization | BaseException | None] = []
    for item in items:
        row = found.get(item.key.state) if isinstance(item, _Consume) else None
        if row is None:
            results.append(None)
        elif row["used"] or row["id"] in taken:
            results.append(StateAlreadyUsed(used_at=row["used_at"] or now))
        elif row["expires_at"] <= now:
            results.append(StateExpired("the state is past its lifetime", expired_at=row["expires_at"]))
        else:
            taken.add(row["id"])
            results.append(_from_row(row))
    return results


_KEPT_AS_IT_IS = tuple(field.name for field in fields(PendingAuthorization) if field.name != "key")


def _to_row(pending: PendingAuthorization) -> dict[str, Any]:
    row = {name: getattr(pending, name) for name in _KEPT_AS_IT_IS}
    return row | {"gateway_id": pending.key.gateway_id, "state": pending.key.state, "used": False, "used_at": None}


def _from_row(row: RowMapping) -> PendingAuthorization:
    key = StateKey(row["gateway_id"], row["state"])
    return PendingAuthorization(key=key, **{name: row[name] for name in _KEPT_AS_IT_IS})
