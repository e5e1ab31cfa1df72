"""Leases and shared tasks: one does it, the others get what it made, and nobody waits for the dead for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from latchpin.contracts import KeyValueRecords
from latchpin.errors import BackendUnavailable
from latchpin.records.kept import KeyValues
from latchpin.workers.leases import Leases
from latchpin.workers.shared_tasks import SharedTasks
from latchpin_testing import MovedClock, SuiteContext

pytestmark = pytest.mark.needs("latchpin_memory_store")

LIFE = timedelta(seconds=10)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def kept(clock: MovedClock) -> AsyncIterator[KeyValueRecords]:
    from latchpin_memory_store.plugin import latchpin_record_store
    from latchpin_memory_store.settings import MemorySettings

    async with SuiteContext(clock) as context, latchpin_record_store().open(MemorySettings(), context) as records:
        yield KeyValues(records)


def leases(kept: KeyValueRecords, clock: MovedClock, pauses: list[float] | None = None) -> Leases:
    async def pause(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        if pauses is not None:
            pauses.append(seconds)
        await asyncio.sleep(0)

    return Leases(kept, clock, pause=pause)


async def nothing() -> None:
    return None


async def test_one_holds_it_and_the_others_get_what_was_made(kept, clock):
    made: list[str] = []

    async def look() -> str | None:
        return made[0] if made else None

    async def work(name: str) -> str:
        async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=look) as found:
            if found is not None:
                return found
            await asyncio.sleep(0)
            made.append(name)
            return name

    results = await asyncio.gather(*(work(f"w{number}") for number in range(8)))
    assert len(made) == 1
    assert set(results) == {made[0]}


async def test_who_comes_when_it_is_made_does_not_make_it_again(kept, clock):
    async def look() -> str:
        return "made"

    async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=look) as found:
        assert found == "made"
    async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing) as found:
        assert found is None  # and it was given back


async def test_it_is_given_back_also_after_a_failure(kept, clock):
    with pytest.raises(ZeroDivisionError):
        async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing):
            raise ZeroDivisionError
    async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing) as found:
        assert found is None


async def test_another_subject_is_another_lease(kept, clock):
    async with (
        leases(kept, clock).hold("x", ("a", "b"), life=LIFE, meanwhile=nothing),
        leases(kept, clock).hold("x", ("a", "c"), life=LIFE, meanwhile=nothing) as found,
    ):
        assert found is None


async def test_a_dead_holder_gives_way_when_its_life_is_over(kept, clock):
    dead = leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing)
    await dead.__aenter__()
    pauses: list[float] = []
    async with leases(kept, clock, pauses).hold("x", ("a",), life=timedelta(seconds=60), meanwhile=nothing) as found:
        assert found is None
    assert 10 <= sum(pauses) < 11
    assert max(pauses) <= 0.5


async def test_a_holder_that_lives_on_and_makes_nothing_is_a_time_out(kept, clock):
    async with leases(kept, clock).hold("x", ("a",), life=timedelta(days=1), meanwhile=nothing):
        with pytest.raises(TimeoutError):
            async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing):
                raise AssertionError("two held it")


async def test_whoever_has_no_patience_does_not_wait(kept, clock):
    pauses: list[float] = []
    async with leases(kept, clock).hold("x", ("a",), life=timedelta(days=1), meanwhile=nothing):
        with pytest.raises(TimeoutError):
            async with leases(kept, clock, pauses).hold("x", ("a",), life=LIFE, wait=timedelta(0), meanwhile=nothing):
                raise AssertionError("two held it")
    assert pauses == []


async def test_a_store_that_fails_while_giving_back_does_not_replace_the_result(kept, clock, monkeypatch):
    async def fail(*_: object, **__: object) -> str:
        raise BackendUnavailable("away")

    async with leases(kept, clock).hold("x", ("a",), life=LIFE, meanwhile=nothing):
        monkeypatch.setattr(kept, "take", fail)


async def test_callers_share_a_task_and_one_who_goes_away_does_not_stop_it():
    tasks: SharedTasks[str, int] = SharedTasks()
    gate, runs = asyncio.Event(), []

    async def work() -> int:
        runs.append(1)
        await gate.wait()
        return 7

    first = asyncio.create_task(tasks.run("k", work))
    second = asyncio.create_task(tasks.run("k", work))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == 7
    assert len(runs) == 1


async def test_closing_waits_for_what_is_under_way():
    tasks: SharedTasks[str, int] = SharedTasks()
    kept: list[int] = []

    async def work() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        kept.append(1)
        raise ValueError

    caller = asyncio.create_task(tasks.run("k", work))
    await asyncio.sleep(0)
    caller.cancel()
    await tasks.close()
    assert kept == [1]
