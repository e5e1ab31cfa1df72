"""What a worker remembers of notes that few have: its own changes at once, another's a moment later."""

from __future__ import annotations

import asyncio

import pytest
from latchpin.records.kept import KeyValues
from latchpin.workers import few_notes
from latchpin.workers.few_notes import FewNotes
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock


class Counted(KeyValues):
    """Kept values that count how often they are read, and can be made to wait."""

    def __init__(self) -> None:
        super().__init__(MemoryRecordStore(MovedClock()))
        self.lists = self.gets = 0
        self.open = asyncio.Event()
        self.open.set()

    async def list(self, prefix: str):
        self.lists += 1
        found = await super().list(prefix)
        await self.open.wait()
        return found

    async def get(self, name: str):
        self.gets += 1
        return await super().get(name)


@pytest.fixture
def kept() -> Counted:
    return Counted()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loop's time, as the notes see it: its one element."""
    now = [100.0]

    class Loop:
        def time(self) -> float:
            return now[0]

    class Asyncio:
        get_running_loop = Loop

    monkeypatch.setattr(few_notes, "asyncio", Asyncio)
    return now


async def test_what_another_worker_writes_is_seen_a_moment_later(kept: Counted, time: list[float]):
    notes = FewNotes(kept, "note:")
    assert await notes.get("note:a") is None
    await kept.put("note:a", "theirs")
    await kept.put("other:a", "none of these")
    time[0] += few_notes.RECENT_SECONDS / 2
    assert await notes.get("note:a") is None
    time[0] += few_notes.RECENT_SECONDS / 2
    assert await notes.get("note:a") == "theirs"
    assert await notes.get("other:a") is None
    await kept.take("note:a")
    time[0] += few_notes.RECENT_SECONDS
    assert await notes.get("note:a") is None
    assert (kept.lists, kept.gets) == (3, 0)


async def test_what_this_worker_writes_is_seen_at_once_also_by_who_asks_while_another_reads(
    kept: Counted, time: list[float]
):
    notes = FewNotes(kept, "note:")
    kept.open.clear()
    early = asyncio.create_task(notes.get("note:a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert kept.lists == 1
    await kept.put("note:a", "ours")
    notes.changed()
    late = asyncio.create_task(notes.get("note:a"))
    kept.open.set()
    assert (await early, await late) == (None, "ours")
    assert await notes.get("note:a") == "ours", "what was read before the change is not remembered"


async def test_of_many_who_ask_at_once_one_reads(kept: Counted, time: list[float]):
    notes = FewNotes(kept, "note:")
    assert await asyncio.gather(*(notes.get("note:a") for _ in range(50))) == [None] * 50
    assert kept.lists == 1


async def test_where_there_are_many_each_is_looked_for_by_itself(
    kept: Counted, time: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(few_notes, "MOST", 2)
    notes = FewNotes(kept, "note:")
    for name in ("a", "b", "c"):
        await kept.put(f"note:{name}", name)
    assert [await notes.get(f"note:{name}") for name in ("a", "b", "d")] == ["a", "b", None]
    time[0] += few_notes.RECENT_SECONDS
    await kept.take("note:a")
    assert await notes.get("note:a") is None
    assert kept.lists == 1
    time[0] += few_notes.MANY_SECONDS
    assert await notes.get("note:b") == "b"
    assert kept.lists == 2
