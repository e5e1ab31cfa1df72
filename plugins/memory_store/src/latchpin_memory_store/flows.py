"""The history of flows in a dictionary, the flow with the oldest append first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import nlargest

from latchpin.model import MOST_STEPS, FlowQuery, FlowStep, FlowSummary, in_order, summarize

__all__ = ["MemoryFlows"]

LIMIT = 20_000
"""Flows held, some 60 MB; the oldest give way. A gateway in production keeps more in another store."""


class MemoryFlows:
    """Implements ``latchpin.contracts.FlowRecords``."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self.rows: dict[str, tuple[FlowStep, ...]] = {}

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:  # noqa: ARG002  purge is enough
        """Keep ``steps``."""
        for step in steps:
            held = self.rows.pop(step.flow_id, ())
            known = step in held or len(held) >= MOST_STEPS
            self.rows[step.flow_id] = held if known else (*held, step)
        while len(self.rows) > self._limit:
            del self.rows[next(iter(self.rows))]

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps."""
        return tuple(in_order(self.rows.get(flow_id, ())))

    async def purge(self, *, before: datetime, most: int) -> int:
        """Remove what is older, and the oldest beyond ``most``."""
        last = {flow_id: max(step.at for step in steps) for flow_id, steps in self.rows.items()}
        stays = set(nlargest(most, (flow_id for flow_id, at in last.items() if at >= before), key=last.__getitem__))
        gone = self.rows.keys() - stays
        for flow_id in gone:
            del self.rows[flow_id]
        return len(gone)

    async def list(self, query: FlowQuery, *, limit: int) -> list[FlowSummary]:
        """Those that match, newest last step first."""
        found = (summarize(in_order(steps)) for steps in self.rows.values())
        return nlargest(limit, filter(query.matches, found), key=lambda flow: (flow.last_at, flow.flow_id))
