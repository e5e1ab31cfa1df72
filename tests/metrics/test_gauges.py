"""The gauges read what they need, and not the whole history for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from latchpin.journal.history import FlowHistory
from latchpin.journal.inspector import FlowInspector
from latchpin.model.flow_steps import FlowQuery, FlowStep, FlowSummary, summarize
from latchpin.testing import MovedClock, samples
from latchpin_metrics.gauges import EVERY, PAGE, SHARE, Gauges


class Scanned:
    """Flows as Redis keeps them: it looks at one after the other, the newest first, until it has enough."""

    def __init__(self) -> None:
        self.kept: list[FlowSummary] = []
        self.looked_at = 0

    async def list(self, query: FlowQuery, *, limit: int) -> list[FlowSummary]:
        found: list[FlowSummary] = []
        for flow in reversed(self.kept):
            if query.before is not None and flow.last_at >= query.before:
                continue
            self.looked_at += 1
            if query.matches(flow):
                found.append(flow)
            if len(found) >= limit:
                break
        return found


class Written(Scanned):
    """One flow, whose steps come as the history writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[FlowStep] = []

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:
        self.steps += steps
        self.kept = [summarize(self.steps)]


async def nothing_waits() -> None:
    """No step is kept back."""


async def nothing(now: datetime) -> dict[str, int]:
    return {}


async def test_pending_flows_are_counted_among_the_newest_and_old_ones_are_not_looked_at():
    clock, flows = MovedClock(), Scanned()
    flows.kept.append(summarize(samples.flow(clock())[:1]))  # begun long ago: it cannot end any more
    for _ in range(5 * PAGE):
        flows.kept.append(summarize(samples.flow(clock())))
        clock.advance(timedelta(seconds=1))
    clock.advance(timedelta(minutes=10))
    for length in (1, 9, 3, 9, 1):
        clock.advance(timedelta(seconds=10))
        flows.kept.append(summarize(samples.flow(clock())[:length]))
    records = SimpleNamespace(tokens=SimpleNamespace(count=nothing), flows=flows)
    settings = SimpleNamespace(flow_history_hours=1, state_ttl_seconds=300)
    standing = await Gauges().read(SimpleNamespace(clock=clock, records=records, settings=settings), nothing_waits)
    assert standing.pending == 3
    assert flows.looked_at == PAGE


async def test_a_flow_that_has_ended_is_not_pending_though_its_last_steps_are_not_yet_written(monkeypatch):
    monkeypatch.setattr("latchpin.journal.history.GATHERING", 3600)
    clock, flows = MovedClock(), Written()
    history = FlowHistory(flows, life=timedelta(hours=1))
    steps = samples.flow(clock())
    for step in steps[:3]:
        history.read(step, None)
    await history.flush()
    for step in steps[3:]:
        history.read(step, None)
    assert flows.kept[0].outcome == "pending"
    records = SimpleNamespace(tokens=SimpleNamespace(count=nothing), flows=flows)
    settings = SimpleNamespace(flow_history_hours=1, state_ttl_seconds=300)
    services = SimpleNamespace(clock=clock, records=records, settings=settings)
    standing = await Gauges().read(services, FlowInspector(flows, history).catch_up)
    assert standing.pending == 0
    await history.close()


async def test_pending_flows_are_counted_over_many_pages():
    clock, flows = MovedClock(), Scanned()
    for number in range(3 * PAGE):
        flows.kept.append(summarize(samples.flow(clock())[: 1 if number % 2 else 9]))
        clock.advance(timedelta(milliseconds=100))
    records = SimpleNamespace(tokens=SimpleNamespace(count=nothing), flows=flows)
    settings = SimpleNamespace(flow_history_hours=1, state_ttl_seconds=300)
    flows.kept.sort(key=lambda flow: flow.last_at)
    standing = await Gauges().read(SimpleNamespace(clock=clock, records=records, settings=settings), nothing_waits)
    assert standing.pending == 3 * PAGE // 2


@pytest.mark.parametrize("seconds", [0.0, 0.2, 6.0])
async def test_a_look_that_takes_long_is_taken_less_often(seconds):
    clock, passed, looks = MovedClock(), iter(range(1000)), []

    async def count(now: datetime) -> dict[str, int]:
        looks.append(now)
        return {"valid": len(looks)}

    records = SimpleNamespace(tokens=SimpleNamespace(count=count))
    services = SimpleNamespace(clock=clock, records=records, settings=SimpleNamespace(flow_history_hours=0))
    gauges = Gauges(timer=lambda: next(passed) * seconds)
    assert (await gauges.read(services, nothing_waits)).tokens == {"valid": 1}
    pause = max(EVERY, timedelta(seconds=SHARE * seconds))
    clock.advance(pause - timedelta(seconds=1))
    assert (await gauges.read(services, nothing_waits)).tokens == {"valid": 1}
    clock.advance(timedelta(seconds=1))
    assert (await gauges.read(services, nothing_waits)).tokens == {"valid": 2}
    assert len(looks) == 2
