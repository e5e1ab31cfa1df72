"""The history is written beside the flows: it never waits, never fails them, and says what it could not keep."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from datetime import timedelta

import pytest
from latchpin.activity.activity import Activity
from latchpin.activity.flow_log import FlowLog
from latchpin.activity.recorder import FlowRecorder, current_flow
from latchpin.errors import BackendUnavailable
from latchpin.model import Fact
from latchpin.model.flow_steps import Begun
from latchpin_flows import history as flow_history
from latchpin_flows.history import FlowHistory
from latchpin_testing import MovedClock

from tests.records.stores import sample_flow

DAY = timedelta(hours=24)


class Records:
    """A store that can be away, slow or broken, and counts."""

    def __init__(self) -> None:
        self.kept: list = []
        self.batches = 0
        self.flows: list[str | None] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def append(self, steps, *, life) -> None:
        self.batches += 1
        self.flows.append(current_flow())
        self.asked.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        assert life == DAY
        self.kept += steps


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHERING", "RETRY"):
        monkeypatch.setattr(flow_history, name, 0.001)


def steps_of(flows: int) -> list:
    return [step for _ in range(flows) for step in sample_flow(MovedClock()())]


def told(step) -> Fact:
    """A step as the gateway tells it."""
    header = {name: getattr(step, name) for name in ("flow_id", "step", "seconds", "worker", "outcome")}
    return Fact("flow.step", step.at, "", step.app_user_email, step.gateway_id, {**header, **step.facts})


def feed(history: FlowHistory, steps) -> None:
    for step in steps:
        history.on_event(told(step))


async def written(history: FlowHistory) -> None:
    """Wait until nothing is to be written any more."""
    async with asyncio.timeout(60):
        while history._task is not None:
            await asyncio.shield(history._task)


async def asked(records: Records, times: int) -> None:
    async with asyncio.timeout(60):
        while records.batches < times:
            records.asked.clear()
            await records.asked.wait()


async def test_steps_are_kept_in_batches_by_a_task_that_ends(records, quick):
    history, steps = FlowHistory(records, life=DAY), steps_of(100)
    feed(history, steps)
    await written(history)
    assert records.kept == steps
    assert records.batches == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_zero_hours_keep_nothing_and_start_nothing(records):
    history = FlowHistory(records, life=timedelta(0))
    feed(history, steps_of(1))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await history.close()
    assert records.batches == 0


async def test_a_step_without_a_flow_is_not_kept(records):
    history = FlowHistory(records, life=DAY)
    feed(history, [dataclasses.replace(steps_of(1)[0], flow_id="")])
    await history.close()
    assert records.kept == []


async def test_a_full_queue_drops_and_counts(records, quick, caplog):
    history = FlowHistory(records, life=DAY, limit=20)
    records.open.clear()
    with caplog.at_level(logging.WARNING, "latchpin.flow_history"):
        feed(history, steps_of(5))
        assert caplog.text.count("steps are left out") == 1, "said once, when it begins"
        records.open.set()
        await written(history)
        assert "25 steps of flows are missing" in caplog.text
        assert len(records.kept) == 20
        caplog.clear()
        feed(history, steps_of(5))
        assert "steps are left out" in caplog.text, "it begins anew"
        await history.close()


async def test_a_store_that_is_away_loses_nothing_and_is_one_warning(records, quick, caplog):
    history, steps = FlowHistory(records, life=DAY), steps_of(3)
    records.error = BackendUnavailable("no route")
    with caplog.at_level(logging.WARNING, "latchpin.flow_history"):
        feed(history, steps)
        await asked(records, 5)
        assert caplog.text.count("cannot be written now: no route") == 1
        records.error = None
        await written(history)
    assert records.kept == steps


async def test_what_can_never_be_kept_is_not_tried_for_ever(records, quick, caplog):
    history, steps = FlowHistory(records, life=DAY), steps_of(1)
    records.error = ValueError("what a bug would raise")
    with caplog.at_level(logging.ERROR, "latchpin.flow_history"):
        feed(history, steps)
        await written(history)
    assert "9 steps of flows could not be kept" in caplog.text
    records.error = None
    feed(history, more := steps_of(1))
    await written(history)
    assert records.kept == more


async def test_closing_writes_what_waits_at_once(records, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flow_history, "GATHERING", 3600)
    history, steps = FlowHistory(records, life=DAY), steps_of(2)
    feed(history, steps)
    async with asyncio.timeout(60):  # it does not wait for more to gather
        await history.close()
    assert records.kept == steps


async def test_closing_does_not_wait_for_a_store_that_is_away_or_hangs(records, monkeypatch, caplog):
    monkeypatch.setattr(flow_history, "PARTING", 0.05)
    for error, is_open in ((BackendUnavailable("away"), True), (None, False)):
        caplog.clear()
        records.error = error
        if not is_open:
            records.open.clear()
        history = FlowHistory(records, life=DAY)
        feed(history, steps_of(1))
        with caplog.at_level(logging.WARNING, "latchpin.flow_history"):
            await history.close()
        assert "9 steps of flows are missing" in caplog.text
    records.open.set()


async def test_a_look_that_is_broken_off_loses_nothing(records):
    history, steps = FlowHistory(records, life=DAY), steps_of(1)
    feed(history, steps)
    records.open.clear()
    look = asyncio.create_task(history.flush())
    await asked(records, 1)
    look.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await look
    records.open.set()
    await history.close()
    assert records.kept == steps


async def test_a_look_waits_for_what_waits_and_not_for_what_comes_meanwhile(records):
    history, steps = FlowHistory(records, life=DAY), steps_of(1)
    append, busy = records.append, True

    async def append_and_more(batch, *, life) -> None:
        await append(batch, life=life)
        if busy and records.batches < 100:  # flows go on without a pause
            feed(history, steps_of(1))

    records.append = append_and_more
    feed(history, steps)
    await history.flush()
    assert records.kept == steps
    assert records.batches == 1
    busy = False
    await history.close()
    assert records.kept[len(steps) :]


async def test_what_the_writing_logs_belongs_to_no_flow(records, quick):
    history = FlowHistory(records, life=DAY)
    span = FlowRecorder(Activity(MovedClock(), {"history": history}), FlowLog(None), worker="w").open("authorize")
    span.name("f" * 32, "a" * 32, "ada@example.com")
    with span:
        span.step(Begun(via="session"))
        await written(history)
    assert [step.flow_id for step in records.kept] == ["f" * 32]
    assert records.flows == [None]
