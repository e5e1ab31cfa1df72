"""The gauges read what they need, and not the whole history for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from latchpin.activity.history import FlowHistory
from latchpin.activity.inspector import FlowInspector
from latchpin.records.flows import FLOWS, FlowRecords
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_metrics.gauges import EVERY, SHARE, Gauges
from latchpin_testing import MovedClock, samples

HOUR = timedelta(hours=1)


async def nothing_waits() -> None:
    """No step is kept back."""


async def nothing(now: datetime) -> dict[str, int]:
    return {}


async def stand(clock: MovedClock, flows: FlowRecords, catch_up=nothing_waits) -> int | None:
    records = SimpleNamespace(tokens=SimpleNamespace(count=nothing))
    settings = SimpleNamespace(flow_history_hours=1, state_ttl_seconds=300)
    services = SimpleNamespace(clock=clock, records=records, flows=flows, settings=settings)
    return (await Gauges().read(services, catch_up)).pending


async def test_pending_flows_are_counted_without_looking_at_any_flow(monkeypatch):
    clock = MovedClock()
    store = MemoryRecordStore(clock)
    flows = FlowRecords(store)
    await flows.append(samples.flow(clock())[:1], life=HOUR)  # begun long ago: it cannot end any more
    clock.advance(timedelta(minutes=10))
    for length in (1, 9, 3, 9, 1):
        clock.advance(timedelta(seconds=10))
        await flows.append(samples.flow(clock())[:length], life=HOUR)
    monkeypatch.setattr(store.collection(FLOWS), "scan", None)
    assert await stand(clock, flows) == 3


async def test_a_flow_that_has_ended_is_not_pending_though_its_last_steps_are_not_yet_written(monkeypatch):
    monkeypatch.setattr("latchpin.activity.history.GATHERING", 3600)
    clock = MovedClock()
    flows = FlowRecords(MemoryRecordStore(clock))
    history = FlowHistory(flows, life=HOUR)
    steps = samples.flow(clock())
    for step in steps[:3]:
        history.read(step, None)
    await history.flush()
    for step in steps[3:]:
        history.read(step, None)
    assert await stand(clock, flows) == 1
    assert await stand(clock, flows, FlowInspector(flows, history).catch_up) == 0
    await history.close()


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
