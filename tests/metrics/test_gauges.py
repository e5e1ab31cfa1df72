"""The gauges read what they need, and not the whole history for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from latchpin_flows.history import FlowHistory
from latchpin_flows.inspector import FlowInspector
from latchpin_flows.plugin import latchpin_gauges
from latchpin_flows.records import FLOWS, FlowRecords
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_metrics.gauges import EVERY, SHARE, Gauges
from latchpin_testing import MovedClock

from tests.inspector.test_history import feed
from tests.records.stores import sample_flow

HOUR = timedelta(hours=1)


async def nothing(now: datetime) -> dict[str, int]:
    return {}


class Flows:
    """A gateway of which there is no more than the history of flows needs."""

    def __init__(self, store: MemoryRecordStore, clock: MovedClock) -> None:
        records = FlowRecords(store.collection)
        self.inspector = FlowInspector(records, FlowHistory(records, life=HOUR), clock)
        self.append = partial(records.append, life=HOUR)
        self.services = SimpleNamespace(
            clock=clock,
            gauges=latchpin_gauges(),
            records=SimpleNamespace(tokens=SimpleNamespace(count=nothing)),
            settings=SimpleNamespace(state_ttl_seconds=300),
            context=SimpleNamespace(shared=self._shared),
        )

    async def _shared(self, name, opener) -> FlowInspector:
        return self.inspector

    async def pending(self) -> float | None:
        [value] = (await Gauges().read(self)).numbers.values()
        return value


async def test_pending_flows_are_counted_without_looking_at_any_flow(monkeypatch):
    clock = MovedClock()
    store = MemoryRecordStore(clock)
    flows = Flows(store, clock)
    await flows.append(sample_flow(clock())[:1])  # begun long ago: it cannot end any more
    clock.advance(timedelta(minutes=10))
    for length in (1, 9, 3, 9, 1):
        clock.advance(timedelta(seconds=10))
        await flows.append(sample_flow(clock())[:length])
    monkeypatch.setattr(store.collection(FLOWS), "scan", None)
    assert await flows.pending() == 3


async def test_a_flow_that_has_ended_is_not_pending_though_its_last_steps_are_not_yet_written(monkeypatch):
    monkeypatch.setattr("latchpin_flows.history.GATHERING", 3600)
    clock = MovedClock()
    flows = Flows(MemoryRecordStore(clock), clock)
    history, steps = flows.inspector.history, sample_flow(clock())
    feed(history, steps[:3])
    assert await flows.pending() == 1
    feed(history, steps[3:])
    assert await flows.pending() == 0
    await history.close()


async def test_without_a_history_there_is_no_number(monkeypatch):
    monkeypatch.setenv("FLOW_HISTORY_HOURS", "0")
    clock = MovedClock()
    assert (await Gauges().read(Flows(MemoryRecordStore(clock), clock))).numbers == {}


@pytest.mark.parametrize("seconds", [0.0, 0.2, 6.0])
async def test_a_look_that_takes_long_is_taken_less_often(seconds):
    clock, passed, looks = MovedClock(), iter(range(1000)), []

    async def count(now: datetime) -> dict[str, int]:
        looks.append(now)
        return {"valid": len(looks)}

    records = SimpleNamespace(tokens=SimpleNamespace(count=count))
    application = SimpleNamespace(services=SimpleNamespace(clock=clock, records=records, gauges=()))
    gauges = Gauges(timer=lambda: next(passed) * seconds)
    assert (await gauges.read(application)).tokens == {"valid": 1}
    pause = max(EVERY, timedelta(seconds=SHARE * seconds))
    clock.advance(pause - timedelta(seconds=1))
    assert (await gauges.read(application)).tokens == {"valid": 1}
    clock.advance(timedelta(seconds=1))
    assert (await gauges.read(application)).tokens == {"valid": 2}
    assert len(looks) == 2
