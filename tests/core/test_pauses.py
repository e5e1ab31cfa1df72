"""What a worker remembers of servers' pauses: its own changes at once, another's a moment later."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from latchpin.errors import UpstreamBusy
from latchpin.records.kept import KeyValues
from latchpin.workers.pauses import RECENT, Pauses
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock

BUSY = UpstreamBusy("too much", retry_after=60)


class Counted(KeyValues):
    """Kept values that count how often they are read, and can be made to wait."""

    def __init__(self, clock: MovedClock) -> None:
        super().__init__(MemoryRecordStore(clock))
        self.gets = 0
        self.reading = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, name: str):
        self.gets += 1
        found = await super().get(name)
        self.reading.set()
        await self.open.wait()
        return found


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def kept(clock: MovedClock) -> Counted:
    return Counted(clock)


async def stands(pauses: Pauses) -> bool:
    try:
        await pauses.check("token", "a")
    except UpstreamBusy:
        return True
    return False


async def test_what_another_worker_does_is_seen_a_moment_later(kept: Counted, clock: MovedClock):
    pauses, others = Pauses(kept, clock), Pauses(kept, clock)
    assert not await stands(pauses)
    await others.note("token", "a", BUSY)
    clock.advance(RECENT / 2)
    assert not await stands(pauses)
    clock.advance(RECENT / 2)
    assert await stands(pauses)
    await others.lift("a")
    assert await stands(pauses)
    clock.advance(RECENT)
    assert not await stands(pauses)
    assert kept.gets == 3


async def test_what_this_worker_does_is_seen_at_once_also_while_another_reads(kept: Counted, clock: MovedClock):
    pauses = Pauses(kept, clock)
    kept.open.clear()
    early = asyncio.create_task(stands(pauses))
    await kept.reading.wait()
    await pauses.note("token", "a", BUSY)
    late = asyncio.create_task(stands(pauses))
    kept.open.set()
    assert (await early, await late) == (False, True)


async def test_what_was_read_before_this_worker_did_something_is_not_remembered(kept: Counted, clock: MovedClock):
    pauses = Pauses(kept, clock)
    kept.open.clear()
    early = asyncio.create_task(stands(pauses))
    await kept.reading.wait()
    await pauses.note("token", "a", BUSY)
    kept.open.set()
    assert not await early
    assert await stands(pauses)
    await pauses.lift("a")
    assert not await stands(pauses)


async def test_of_many_who_ask_at_once_one_reads(kept: Counted, clock: MovedClock):
    pauses = Pauses(kept, clock)
    kept.open.clear()
    asking = [asyncio.create_task(stands(pauses)) for _ in range(50)]
    await kept.reading.wait()
    kept.open.set()
    assert not any(await asyncio.gather(*asking))
    assert not await stands(pauses)
    assert kept.gets == 1


async def test_a_pause_that_is_remembered_ends_in_its_time(kept: Counted, clock: MovedClock):
    pauses = Pauses(kept, clock)
    await pauses.note("token", "a", UpstreamBusy("too much", retry_after=1))
    clock.advance(timedelta(seconds=0.9))
    assert await stands(pauses)
    clock.advance(timedelta(seconds=0.1))
    assert not await stands(pauses)
    assert kept.gets == 1
