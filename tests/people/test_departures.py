"""What is under way is found within a second of an end, however the looks and the end fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from latchpin.contracts import Endings
from latchpin.errors import BackendUnavailable
from latchpin.identity import departures
from latchpin.identity.barred import Barred, bar, let_in
from latchpin.identity.departures import BLIND, LOOKS_EVERY, Departures
from latchpin.identity.ended_proofs import end_proof
from latchpin.identity.proven import REMEMBERED as PROVEN
from latchpin.identity.revocations import REMEMBERED, SessionRevocations, end_everything_of

from tests.support.gateway_in_process import ALICE, InnerGateway, MovedClock

pytestmark = pytest.mark.needs("latchpin_memory_store")
BOB = "bob@example.com"


class Worker:
    """Another worker on the same store."""

    def __init__(self, gateway: InnerGateway) -> None:
        self.kept = gateway.application.services.kept
        self.clock, self.endings = MovedClock(), Endings()
        self.clock.stop()
        self.departures = Departures(self.kept, self.clock, self.endings)
        self.ended: list[str] = []

    def serve(self, email: str) -> Any:
        return self.departures.watch(email, lambda: self.ended.append(email))

    async def look(self) -> list[str]:
        await self.departures.look()
        return self.ended

    async def end(self, email: str) -> None:
        """At another worker, whose clock goes alike."""
        await end_everything_of(self.kept, email, self.clock())


@pytest.fixture
async def worker(gateway: InnerGateway) -> Worker:
    found = Worker(gateway)
    await found.departures.look()
    return found


async def test_who_is_ended_elsewhere_is_ended_at_the_next_look(worker: Worker):
    worker.serve(ALICE)
    worker.serve(BOB)
    assert await worker.look() == []
    worker.clock.advance(seconds=3)
    await worker.end(ALICE)
    assert await worker.look() == [ALICE]
    assert await worker.look() == [ALICE], "each is ended once"
    await worker.end("*")
    assert await worker.look() == [ALICE, BOB]


async def test_what_stands_on_a_proof_that_ended_alone_ends_and_nothing_else(worker: Worker):
    for name in ("grant:one", "grant:two", ""):
        worker.departures.watch(ALICE, partial(worker.ended.append, name), stands_on=name)
    assert await worker.look() == []
    await end_proof(worker.kept, "grant:one", worker.clock())
    assert await worker.look() == ["grant:one"]
    assert await worker.look() == ["grant:one"], "each is ended once"
    worker.departures.watch(ALICE, partial(worker.ended.append, "late"), stands_on="grant:one")
    assert await worker.look() == ["grant:one", "late"], "it was judged by what was remembered from before"


async def test_who_comes_while_it_is_looked_is_looked_at_the_next_time(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    worker.departures.watch(ALICE, partial(worker.ended.append, "first"), stands_on="grant:one")
    await worker.look()
    asked = departures.read_ended_proofs

    async def reads(kept: Any) -> frozenset[str]:
        monkeypatch.setattr(departures, "read_ended_proofs", asked)
        worker.departures.watch(ALICE, partial(worker.ended.append, "second"), stands_on="grant:one")
        return await asked(kept)

    monkeypatch.setattr(departures, "read_ended_proofs", reads)
    await end_proof(worker.kept, "grant:one", worker.clock())
    assert await worker.look() == ["first"]
    assert await worker.look() == ["first", "second"]


async def test_a_person_whose_sessions_end_is_found_whatever_they_stand_on(worker: Worker):
    worker.departures.watch(ALICE, partial(worker.ended.append, ALICE), stands_on="grant:one")
    assert await worker.look() == []
    worker.clock.advance(seconds=3)
    await worker.end(ALICE)
    assert await worker.look() == [ALICE]


async def test_who_was_let_in_by_what_a_worker_remembered_is_ended_too(worker: Worker):
    """A request that begins after the end, judged by what was remembered from before."""
    await worker.end(ALICE)
    await worker.look()
    worker.clock.advance(seconds=0.9)
    worker.serve(ALICE)
    assert await worker.look() == [ALICE]


async def test_who_signed_in_again_goes_on(worker: Worker):
    await worker.end(ALICE)
    worker.clock.advance(seconds=5)
    worker.serve(ALICE)
    assert await worker.look() == []
    await worker.end(BOB)
    assert await worker.look() == []


async def test_who_is_out_is_found_whatever_the_clocks_say(worker: Worker):
    await bar(worker.kept, Barred(ALICE, worker.clock(), "root@example.com", "api"))
    worker.clock.advance(days=1)
    worker.serve(ALICE)
    assert await worker.look() == [ALICE]
    await let_in(worker.kept, ALICE)
    worker.clock.advance(days=1)
    worker.serve(ALICE)
    assert await worker.look() == [ALICE]


async def test_nothing_that_a_worker_remembers_outlasts_a_look(worker: Worker):
    revocations = SessionRevocations(worker.kept, worker.clock, worker.endings)
    issued = worker.clock().timestamp()
    assert not await revocations.cover(ALICE, issued)
    assert not await revocations.keep_out(ALICE)
    await bar(worker.kept, Barred(ALICE, worker.clock(), "root@example.com", "api"))
    await worker.end(ALICE)
    assert not await revocations.cover(ALICE, issued), "it is remembered: else this test shows nothing"
    await worker.look()
    assert await revocations.cover(ALICE, issued)
    assert await revocations.keep_out(ALICE)


def test_all_that_is_remembered_is_less_than_a_second_together():
    assert LOOKS_EVERY < 0.5
    assert timedelta(seconds=1) >= REMEMBERED + PROVEN


async def test_what_has_ended_is_watched_no_more(worker: Worker):
    watched = worker.serve(ALICE)
    worker.departures.leave(watched)
    worker.departures.leave(watched)
    await worker.end(ALICE)
    assert await worker.look() == []


async def test_an_end_while_the_store_is_away_is_found_when_it_is_back(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    worker.serve(ALICE)
    await worker.look()
    await worker.end(ALICE)
    asked = departures.ended_at

    async def away(*_: Any) -> None:
        raise BackendUnavailable("away")

    monkeypatch.setattr(departures, "ended_at", away)
    with pytest.raises(BackendUnavailable):
        await worker.look()
    monkeypatch.setattr(departures, "ended_at", asked)
    assert await worker.look() == [ALICE]


# -- the loop, in a time of its own ----------------------------------------------------------------------


class Looks:
    """Runs the loop with a clock that only its own pauses move."""

    def __init__(self, worker: Worker, monkeypatch: pytest.MonkeyPatch, *, fails_after: float = float("inf")) -> None:
        self.now, self.asked = 0.0, 0
        self.worker = worker
        self._fails_after = fails_after
        self._until: Callable[[], bool] = lambda: True
        self._look = worker.departures.look
        monkeypatch.setattr(departures.asyncio, "sleep", self._sleep)
        monkeypatch.setattr(worker.departures, "look", self._counted)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._until():
            raise asyncio.CancelledError

    async def _counted(self) -> None:
        self.asked += 1
        if self.now >= self._fails_after:
            raise BackendUnavailable("away")
        await self._look()

    async def run(self, until: Callable[[], bool]) -> None:
        self._until = until
        with pytest.raises(asyncio.CancelledError):
            await self.worker.departures.run()


async def test_it_looks_as_long_as_somebody_is_served(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    looks = Looks(worker, monkeypatch)
    worker.serve(ALICE)
    await looks.run(lambda: looks.now >= 3)
    assert looks.asked == 3 / LOOKS_EVERY


async def test_what_is_under_way_ends_where_the_store_does_not_answer(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    looks = Looks(worker, monkeypatch, fails_after=2)
    worker.serve(ALICE)
    await looks.run(lambda: looks.now >= 2 + BLIND - 2 * LOOKS_EVERY)
    assert worker.ended == []
    await looks.run(lambda: looks.now >= 2 + 2 * BLIND + 1 or bool(worker.ended))
    assert worker.ended == [ALICE]
