"""The table ``oauth_flows``: a row for each flow, its steps as lines of JSON in one column.

One row and not one for each step: a flow is written in one or two batches, and read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.journal.text import dump_step, parse_steps
from latchpin.model import MOST_STEPS, FlowOutcome, FlowQuery, FlowStep, FlowSummary, in_order, summarize
from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update

from latchpin_sql_store.database import Database
from latchpin_sql_store.tables import flows

__all__ = ["SqlFlows"]

PURGED_AT_ONCE = 10_000
_CHUNK = 500
_ATTEMPTS = 5
_RANKS: tuple[FlowOutcome, ...] = ("pending", "failed", "completed")

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
            new = [_new_row(by_flow[name]) for name in wanted if name not in known]
            if new:
                connection.execute(insert(flows), new)
            changes = [change for row in known.values() if (change := _change(row, by_flow[row["flow_id"]]))]
            if changes:
                connection.execute(_UPDATE, changes)

        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write("", "flows", run=run)
            except RecordConflict:  # another process inserted a flow between our look and our write: look again
                continue
        raise BackendUnavailable("the history of flows is written by others all the time")

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps."""
        if not flow_id.isascii():  # MariaDB compares no other text with an ASCII column
            return ()

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
    if query.before is None:
        return statement
    older = flows.c.last_at < query.before
    if query.before_id:
        older |= (flows.c.last_at == query.before) & (flows.c.flow_id < query.before_id)
    return statement.where(older)


def _new_row(steps: Sequence[FlowStep]) -> dict[str, Any]:
    lines = dict.fromkeys(map(dump_step, steps))
    return _to_row(summarize(in_order(list(dict.fromkeys(steps)))[:MOST_STEPS]), list(lines)[:MOST_STEPS])


def _change(row: RowMapping, more: Sequence[FlowStep]) -> dict[str, Any] | None:
    """What an update of ``row`` sets, None if it has all of ``more`` or is full. Its own lines are only copied."""
    held = row["steps"].split("\n")
    fresh = {line: step for step in more if (line := dump_step(step)) not in held}
    added = list(fresh.items())[: max(0, MOST_STEPS - len(held))]
    if not added:
        return None
    lines = [*held, *(line for line, _ in added)]
    newer = summarize(in_order([step for _, step in added]))
    if newer.cause is not None and row["cause"] is not None:  # which failure was the first is in the lines
        names = {name: row[name] for name in ("flow_id", "gateway_id", "app_user_email")}
        flow = summarize(in_order(parse_steps(lines, **names)))
    else:
        flow = _join(_summary(row), newer)
    values = _to_row(flow, lines)
    return {"wanted": row["flow_id"]} | {f"new_{name}": values[name] for name in _CHANGING}


def _join(one: FlowSummary, other: FlowSummary) -> FlowSummary:
    """Two parts of a flow, of which at most one has a failure."""
    return replace(
        one,
        began_at=min(one.began_at, other.began_at),
        last_at=max(one.last_at, other.last_at),
        outcome=max(one.outcome, other.outcome, key=_RANKS.index),
        cause=one.cause or other.cause,
        steps=one.steps + other.steps,
    )


def _steps(row: RowMapping) -> list[FlowStep]:
    names = {name: row[name] for name in ("flow_id", "gateway_id", "app_user_email")}
    return parse_steps(row["steps"].split("\n"), **names)


def _to_row(flow: FlowSummary, lines: Sequence[str]) -> dict[str, Any]:
    return {
        "flow_id": flow.flow_id,
        "gateway_id": flow.gateway_id,
        "app_user_email": flow.app_user_email,
        "began_at": flow.began_at,
        "last_at": flow.last_at,
        "outcome": flow.outcome,
        "cause": flow.cause,
        "step_count": flow.steps,
        "steps": "\n".join(lines),
    }


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
