"""The note that somebody is out stands at every moment, wherever a process breaks off and whoever writes it too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
from latchpin.identity.barred import Barred, bar, find_barred, let_in
from latchpin.identity.revocations import end_everything_of, ended_at
from latchpin.model import CLIENT_ITSELF, Document
from latchpin.records.kept import KeyValues
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock

from tests.support.gateway_in_process import ADMIN, ALICE

pytestmark = pytest.mark.needs("latchpin_memory_store")


class Killed(BaseException):
    """The process is gone."""


class Process:
    """One process on a store, which is killed before its ``dies``-th write, counted from nought."""

    def __init__(self, records: MemoryRecordStore, *, dies: int) -> None:
        self.kept = KeyValues(records)
        self._documents = self.kept._documents
        self._left = dies
        self.kept._documents = self  # type: ignore[assignment]  what is called of a collection stands below

    async def get(self, name: str) -> Document | None:
        return await self._documents.get(name)

    async def put(self, document: Document) -> Document:
        self._live()
        return await self._documents.put(document)

    async def take(self, name: str) -> Document | None:
        self._live()
        return await self._documents.take(name)

    async def delete(self, name: str, *, revision: int | None = None) -> bool:
        self._live()
        return await self._documents.delete(name, revision=revision)

    def _live(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def records(clock: MovedClock) -> MemoryRecordStore:
    return MemoryRecordStore(clock)


async def broken_off(
    records: MemoryRecordStore, work: Callable[[KeyValues], Awaitable[object]], holds: Callable[[], Awaitable[bool]]
) -> Sequence[bool]:
    """What ``holds`` says after each kill, and after ``work`` was done at last."""
    found: list[bool] = []
    for dies in range(50):
        try:
            await work(Process(records, dies=dies).kept)
        except Killed:
            found.append(await holds())
        else:
            return [*found, await holds()]
    raise AssertionError("it never came to its end")


async def test_whom_a_directory_ended_stays_out_wherever_an_administrators_end_breaks_off(
    records: MemoryRecordStore, clock: MovedClock
):
    kept = KeyValues(records)
    await bar(kept, Barred(ALICE, clock(), CLIENT_ITSELF, "scim"))
    found = await broken_off(
        records, lambda process: bar(process, Barred(ALICE, clock(), ADMIN, "command")), lambda: _is_out(kept)
    )
    assert len(found) > 1
    assert all(found)
    stands = await find_barred(kept, ALICE)
    assert stands is not None
    assert stands.by == ADMIN
    assert await let_in(kept, ALICE, way="scim") is None, "the directory lets them in no more"


async def test_what_was_ended_stays_ended_wherever_the_next_end_breaks_off(
    records: MemoryRecordStore, clock: MovedClock
):
    kept, first = KeyValues(records), clock()
    await end_everything_of(kept, ALICE, first)

    async def stays() -> bool:
        end = await ended_at(kept, ALICE)
        return end is not None and end >= first

    later = first + timedelta(days=1)
    found = await broken_off(records, lambda process: end_everything_of(process, ALICE, later), stays)
    assert len(found) > 1
    assert all(found)
    assert await ended_at(kept, ALICE) == later


async def test_administrators_who_end_somebody_at_once_agree_on_one_note(records: MemoryRecordStore, clock: MovedClock):
    kept = KeyValues(records)
    await bar(kept, Barred(ALICE, clock(), CLIENT_ITSELF, "scim"))
    writers = [Barred(ALICE, clock(), f"{name}@example.com", "command") for name in ("ann", "bea", "cid")]
    stand = await asyncio.gather(*(bar(KeyValues(records), each) for each in writers))
    assert len({each.by for each in stand}) == 1
    assert stand[0] == await find_barred(kept, ALICE)


async def _is_out(kept: KeyValues) -> bool:
    return await find_barred(kept, ALICE) is not None
