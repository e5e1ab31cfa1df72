"""An exchange is watched: it ends when nothing moves, when its caller hangs up, and with their grant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from operator import itemgetter
from typing import Any

import pytest
from latchpin.model import Caller as Judged
from latchpin.sdk.identity import end_proof
from latchpin_proxy.first_looks import LOOKS_AFTER, FirstLooks
from latchpin_proxy.watch import Watch

from tests.support.gateway_in_process import ALICE, InnerGateway

IDLE = 600.0


class Loop:
    """A loop's clock and timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any) -> Any:
        return self.call_at(self.now + delay, callback)

    def call_at(self, when: float, callback: Any) -> Any:
        entry = (when, callback)
        self.timers.append(entry)
        return _Handle(self, entry)

    def move_to(self, now: float) -> None:
        while self.timers and (entry := min(self.timers, key=itemgetter(0)))[0] <= now:
            self.timers.remove(entry)
            self.now, callback = entry
            callback()
        self.now = now


class _Handle:
    def __init__(self, loop: Loop, entry: tuple[float, Any]) -> None:
        self._loop, self._entry = loop, entry

    def cancel(self) -> None:
        if self._entry in self._loop.timers:
            self._loop.timers.remove(self._entry)


@pytest.fixture
async def loop() -> Loop:
    return Loop()


@pytest.fixture
async def first_looks(loop: Loop) -> FirstLooks:
    first_looks = FirstLooks()
    first_looks._loop = loop
    return first_looks


@pytest.fixture
async def watch(loop: Loop, first_looks: FirstLooks) -> Watch:
    watch = Watch(IDLE, first_looks)
    watch._loop = loop
    return watch


class Caller:
    """Someone who hangs up when a test says so."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.watched = 0

    async def gone(self) -> None:
        self.watched += 1
        await self.left.wait()


async def test_an_exchange_that_is_soon_over_costs_no_second_task(watch: Watch, loop: Loop):
    caller = Caller()
    async with watch.over(caller.gone):
        watch.moved()
        loop.move_to(0.9 * LOOKS_AFTER)
    loop.move_to(2 * LOOKS_AFTER)
    assert (caller.watched, watch.ended, loop.timers) == (0, None, [])


async def test_each_is_first_looked_at_after_the_same_time_by_one_timer(first_looks: FirstLooks, loop: Loop):
    seen: list[tuple[str, float]] = []
    for name, begins in (("one", 0.0), ("two", 0.4), ("three", 0.4), ("four", 1.5)):
        loop.move_to(begins * LOOKS_AFTER)
        first_looks.expect(lambda name=name: seen.append((name, loop.now / LOOKS_AFTER)))
        assert len(loop.timers) == 1
    loop.move_to(3 * LOOKS_AFTER)
    expected = [("one", 1.0), ("two", 1.4), ("three", 1.4), ("four", 2.5)]
    assert seen == [(name, pytest.approx(at)) for name, at in expected]
    assert loop.timers == []


async def test_a_look_that_fails_keeps_no_other_from_being_done(first_looks: FirstLooks, loop: Loop):
    def fail() -> None:
        raise ZeroDivisionError

    seen: list[str] = []
    first_looks.expect(fail)
    first_looks.expect(lambda: seen.append("of the same time"))
    with pytest.raises(ZeroDivisionError):
        loop.move_to(LOOKS_AFTER)
    loop.move_to(LOOKS_AFTER)
    first_looks.expect(lambda: seen.append("later"))
    loop.move_to(3 * LOOKS_AFTER)
    assert seen == ["of the same time", "later"]


async def why_it_ended(watch: Watch, caller: Caller, work: Callable[[], Awaitable[object]]) -> str | None:
    try:
        async with watch.over(caller.gone):
            await work()
            await asyncio.Event().wait()
    except TimeoutError:
        return watch.ended


async def test_a_caller_who_hangs_up_ends_it_also_while_nothing_is_waited_for(watch: Watch, loop: Loop):
    caller = Caller()

    async def work() -> None:
        watch.rest()
        loop.move_to(LOOKS_AFTER)
        caller.left.set()

    assert await why_it_ended(watch, caller, work) == "left"
    assert caller.watched == 1


async def test_it_ends_with_the_grant_that_its_caller_stands_on(watch: Watch, loop: Loop, gateway: InnerGateway):
    application = gateway.application
    watch.serve(Judged(ALICE, via="access-token", stands_on="grant:one"), application.departures)

    async def work() -> None:
        loop.move_to(LOOKS_AFTER)
        watch.moved()
        await application.departures.look()
        seen.append(watch.ended)
        await end_proof(application.services.kept, "grant:one", gateway.clock())
        await application.departures.look()
        loop.move_to(LOOKS_AFTER + 2 * IDLE)  # what does not end by that ends because nothing moves

    seen: list[str | None] = []
    assert await why_it_ended(watch, Caller(), work) == "out"
    assert seen == [None]


async def test_it_ends_when_nothing_has_moved_for_so_long_and_not_before(watch: Watch, loop: Loop):
    async def work() -> None:
        watch.moved()
        loop.move_to(500)
        watch.moved()
        loop.move_to(1_099)
        seen.append(watch.ended)
        loop.move_to(1_100)

    seen: list[str | None] = []
    assert await why_it_ended(watch, Caller(), work) == "idle"
    assert seen == [None]


async def test_what_has_limits_of_its_own_is_not_counted(watch: Watch, loop: Loop):
    async def work() -> None:
        watch.moved()
        loop.move_to(500)
        watch.rest()
        loop.move_to(5_000)
        watch.moved()
        loop.move_to(5_599)
        seen.append(watch.ended)
        loop.move_to(5_600)

    seen: list[str | None] = []
    assert await why_it_ended(watch, Caller(), work) == "idle"
    assert seen == [None]


async def test_who_cancels_it_from_outside_is_not_told_that_it_was_slow(watch: Watch):
    async def watched() -> None:
        async with watch.over(Caller().gone):
            await asyncio.Event().wait()

    task = asyncio.create_task(watched())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watch.ended is None
