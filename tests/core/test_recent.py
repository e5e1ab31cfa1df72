"""What was read a moment ago is given again, and never across what was written here meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from latchpin.sdk.workers import Recent
from latchpin.workers.recent import RECENT
from latchpin_testing import MovedClock

STORED = {"a": "first", "b": "other"}


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def recent(clock: MovedClock) -> Recent[str, str | None]:
    return Recent(clock, 2)


def look(key: str, then: Callable[[], object] = lambda: None) -> Callable[[], Awaitable[str | None]]:
    """Reads what is stored; what ``then`` does happens before the reader goes on."""

    async def read() -> str | None:
        found = STORED.get(key)
        then()
        return found

    return read


async def test_what_was_read_is_given_for_a_second(recent: Recent[str, str | None], clock: MovedClock):
    assert recent.get("a") is None
    assert await recent.read("a", look("a")) == "first"
    clock.advance(RECENT - timedelta(microseconds=1))
    assert recent.get("a") == "first"
    clock.advance(timedelta(microseconds=1))
    assert recent.get("a") is None


async def test_a_clock_that_was_set_back_makes_nothing_last(recent: Recent[str, str | None], clock: MovedClock):
    await recent.read("a", look("a"))
    clock.advance(-timedelta(hours=1))
    assert recent.get("a") is None


async def test_its_age_counts_from_before_it_was_read(recent: Recent[str, str | None], clock: MovedClock):
    await recent.read("a", look("a", lambda: clock.advance(RECENT)))
    assert recent.get("a") is None


async def test_what_is_written_here_is_forgotten_with_what_was_being_read(recent: Recent[str, str | None]):
    await recent.read("a", look("a"))
    await recent.read("b", look("b"))
    recent.forget("a")
    assert (recent.get("a"), recent.get("b")) == (None, "other")
    assert await recent.read("a", look("a", lambda: recent.forget("a"))) == "first", "who asked gets it"
    assert recent.get("a") is None, "and nobody after the write"
    await recent.read("a", look("a", lambda: recent.forget_each("b".__eq__)))
    assert (recent.get("a"), recent.get("b")) == (None, None)


async def test_what_is_not_there_is_looked_for_each_time(recent: Recent[str, str | None]):
    assert await recent.read("none", look("none")) is None
    assert recent.get("none") is None


async def test_no_more_are_remembered_than_it_was_made_for(recent: Recent[str, str | None]):
    for key in ("a", "b", "c"):
        await recent.read(key, look("a"))
    assert [recent.get(key) for key in ("a", "b", "c")] == [None, "first", "first"]
