"""The table ``oauth_flows``: a row for each flow, its steps as lines of JSON in one column.

One row and not one for each step: a flow is written in one or two batches, and read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.flow_steps import MOST_STEPS, FlowQuery, FlowStep, FlowSummary, in_order, summarize
from latchpin.flow_text import dump_step, parse_steps
from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.tables import flows

__all__ = ["SqlFlows"]

PURGED_AT_ONCE = 10_000
_CHUNK = 500
_ATTEMPTS = 5

_GET = select(flows).where(flows.c.flow_id == bindparam("wanted"))
_LOCK = (
    select(flows)
    .where(flows.c.flow_id.in_(bindparam("wanted", expanding=True)))
    .order_by(flows.c.flow_id)
    .with_for_update()
)
_CHANGING = ("began_at", "last_at", "outcome", "cause", "step_count", "steps")
_UPDATE = (
    update(flows)
    .where(flows.c.flow_id == bindparam("wanted"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_DELETE = delete(flows).where(flows.c.flow_id.in_(bindparam("gone", expanding=True)))


class SqlFlows:
    """``FlowRecords``; see the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:  # noqa: ARG002  purge is enough
        """Keep ``steps``: one SELECT, one INSERT of new flows, one UPDATE of known ones."""
        by_flow: dict[str, list[FlowStep]] = {}
        for step in steps:
            by_flow.setdefault(step.flow_id, []).append(step)
        wanted = sorted(by_flow)

        def run(connection: Connection) -> None:
            known = {row["flow_id"]: row for row in connection.execute(_LOCK, {"wanted": wanted}).mappings()}
            new = [_to_row(_merge([], by_flow[name])) for name in wanted if name not in known]
            if new:
                connection.execute(insert(flows), new)
            merged = [_to_row(_merge(_steps(row), by_flow[name])) for name, row in known.items()]
            if merged:
                connection.execute(_UPDATE, [_change(row) for row in merged])

        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write("", "flows", run=run)
            except RecordConflict:  # another process inserted a flow between our look and our write: look again
                continue
        raise BackendUnavailable("the history of flows is written by others all the time")

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps."""

        def run(connection: Connection) -> tuple[FlowStep, ...]:
            row = connection.execute(_GET, {"wanted": flow_id}).mappings().first()
            return () if row is None else tuple(in_order(_steps(row)))

        return await self._database.read(run, absent=())

    async def purge(self, *, before: datetime, most: int) -> int:
        """Remove what is older, and the oldest beyond ``most``; a limited number at once."""
        old = select(func.count()).select_from(flows).where(flows.c.last_at < before)
        held = select(func.count()).select_from(flows)
        oldest = select(flows.c.flow_id).order_by(flows.c.last_at, flows.c.flow_id)

        def look(connection: Connection) -> Sequence[str]:
            over = max(connection.execute(old).scalar_one(), connection.execute(held).scalar_one() - most)
            return connection.execute(oldest.limit(min(over, PURGED_AT_ONCE))).scalars().all() if over > 0 else []

        nothing: Sequence[str] = []
        gone = await self._database.read(look, absent=nothing)
        count = 0
        for start in range(0, len(gone), _CHUNK):
            count += await self._remove(gone[start : start + _CHUNK])
        return count

    async def list(self, query: FlowQuery, *, limit: int) -> list[FlowSummary]:
        """Those that match, newest last step first."""
        statement = _select(query).limit(limit)

        def run(connection: Connection) -> list[FlowSummary]:
            return [_summary(row) for row in connection.execute(statement).mappings()]

        return await self._database.read(run, absent=[])

    async def _remove(self, names: Sequence[str]) -> int:
        return await self._database.write(
            "", "flows", run=lambda connection: connection.execute(_DELETE, {"gone": names}).rowcount
        )


def _select(query: FlowQuery) -> Select[Any]:
    columns = [column for column in flows.c if column.name != "steps"]
    statement = select(*columns).order_by(flows.c.last_at.desc(), flows.c.flow_id.desc())
    for name in ("gateway_id", "app_user_email", "outcome", "cause"):
        if (value := getattr(query, name)) is not None:
            statement = statement.where(flows.c[name] == value)
    return statement if query.before is None else statement.where(flows.c.last_at < query.before)


def _merge(held: Sequence[FlowStep], more: Sequence[FlowStep]) -> list[FlowStep]:
    """The first ``MOST_STEPS`` of both, each once, as they happened."""
    return in_order(list(dict.fromkeys([*held, *more]))[:MOST_STEPS])


def _steps(row: RowMapping) -> list[FlowStep]:
    names = {name: row[name] for name in ("flow_id", "gateway_id", "app_user_email")}
    return parse_steps(row["steps"].splitlines(), **names)


def _to_row(steps: Sequence[FlowStep]) -> dict[str, Any]:
    flow = summarize(steps)
    return {
        "flow_id": flow.flow_id,
        "gateway_id": flow.gateway_id,
        "app_user_email": flow.app_user_email,
        "began_at": flow.began_at,
        "last_at": flow.last_at,
        "outcome": flow.outcome,
        "cause": flow.cause,
        "step_count": flow.steps,
        "steps": "\n".join(map(dump_step, steps)),
    }


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {"wanted": row["flow_id"]} | {f"new_{name}": row[name] for name in _CHANGING}


def _summary(row: RowMapping) -> FlowSummary:
    return FlowSummary(
        flow_id=row["flow_id"],
        gateway_id=row["gateway_id"],
        app_user_email=row["app_user_email"],
        began_at=row["began_at"],
        last_at=row["last_at"],
        outcome=row["outcome"],
        cause=row["cause"],
        steps=row["step_count"],
    )
