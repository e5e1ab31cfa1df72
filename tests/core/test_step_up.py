"""The note of missing scopes: by user, gateway and issuer, bounded, and gone after an hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.authorization.step_up import MOST_STEPS, StepUp
from latchpin.contracts import KeyValueRecords
from latchpin.oauth.scopes import MOST_SCOPES
from latchpin.records.kept import KeyValues
from latchpin_testing import MovedClock, SuiteContext
from latchpin_testing.samples import stored_token

pytestmark = pytest.mark.needs("latchpin_memory_store")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def kept(clock: MovedClock) -> AsyncIterator[KeyValueRecords]:
    from latchpin_memory_store.plugin import latchpin_record_store
    from latchpin_memory_store.settings import MemorySettings

    async with SuiteContext(clock) as context, latchpin_record_store().open(MemorySettings(), context) as records:
        yield KeyValues(records)


@pytest.fixture
def notes(kept: KeyValueRecords, clock: MovedClock) -> StepUp:
    return StepUp(kept, clock)


@pytest.fixture
def token(clock: MovedClock):
    return replace(stored_token(now=clock()), scopes=("a", "b"))


async def wanted(notes: StepUp, token) -> tuple[str, ...]:
    return await notes.wanted(token.gateway_id, token.app_user_email, "", token.issuer)


async def test_the_union_of_earlier_and_missing_scopes_is_wanted(notes, token):
    assert await wanted(notes, token) == ()
    assert await notes.note(token, ["c", "b"], operation="one")
    assert await notes.note(token, ["d"], operation="two")
    assert await wanted(notes, token) == ("a", "b", "c", "d")


async def test_what_one_worker_notes_the_next_request_at_another_asks_for(kept, clock, token):
    here, there = StepUp(kept, clock), StepUp(kept, clock)
    assert await wanted(here, token) == ()
    await there.note(token, ["c"], operation="one")
    assert await wanted(here, token) == ("a", "b", "c")
    await there.note(token, ["d"], operation="two")
    assert await wanted(here, token) == ("a", "b", "c", "d")


async def test_it_is_nobody_elses(notes, token):
    await notes.note(token, ["c"], operation="one")
    assert await notes.wanted(token.gateway_id, "other@example.com", "", token.issuer) == ()
    assert await notes.wanted("f" * 32, token.app_user_email, "", token.issuer) == ()
    assert await notes.wanted(token.gateway_id, token.app_user_email, "", "https://other.example") == ()


async def test_it_is_gone_after_an_hour(notes, token, clock):
    await notes.note(token, ["c"], operation="one")
    clock.advance(timedelta(hours=1, seconds=1))
    assert await wanted(notes, token) == ()


async def test_what_is_no_scope_is_left_out_and_there_is_an_end(notes, token):
    odd = ["c d", 'c"', "c\\", "", "\u00e9", "x" * 201, "ok"]
    await notes.note(token, odd, operation="one")
    assert await wanted(notes, token) == ("a", "b", "ok")
    await notes.note(token, [f"s{number}" for number in range(200)], operation="one")
    assert len(await wanted(notes, token)) == MOST_SCOPES


async def test_the_third_token_under_which_an_operation_is_refused_is_the_last(notes, token):
    assert MOST_STEPS == 3
    first, second, third = (replace(token, revision=revision) for revision in (1, 2, 3))
    assert await notes.note(first, ["c"], operation="one")
    assert await notes.note(first, ["c"], operation="one")  # the same token again is no further step
    assert await notes.note(second, ["c"], operation="one")
    assert not await notes.note(third, ["c"], operation="one")
    assert not await notes.note(third, ["c"], operation="one")
    assert await notes.note(third, ["c"], operation="two")


async def test_steps_count_for_each_user_and_end_with_the_note(notes, token, clock):
    for revision in (1, 2):
        assert await notes.note(replace(token, revision=revision), ["c"], operation="one")
    third = replace(token, revision=3)
    assert await notes.note(replace(third, app_user_email="other@example.com"), ["c"], operation="one")
    assert not await notes.note(third, ["c"], operation="one")
    clock.advance(timedelta(hours=1, seconds=1))
    assert await notes.note(third, ["c"], operation="one")


async def test_where_nothing_is_noted_the_store_is_not_asked_for_each_person(kept, clock, token, monkeypatch):
    monkeypatch.setattr("latchpin.authorization.step_up.UNSEEN", 600)
    asked: list[str] = []

    async def get(name: str) -> str | None:
        asked.append(name)
        return await KeyValues.get(kept, name)

    monkeypatch.setattr(kept, "get", get, raising=False)
    notes = StepUp(kept, clock)
    for number in range(20):
        assert await notes.wanted(token.gateway_id, f"{number}@example.com", "", token.issuer) == ()
    assert len(asked) == 1


@pytest.mark.parametrize("minute", [0, 1, 30, 58, 59])
async def test_a_note_is_found_for_its_hour_whenever_it_was_written(kept, clock, token, minute):
    clock.advance(timedelta(minutes=(minute - clock().minute) % 60))
    await StepUp(kept, clock).note(token, ["c"], operation="one")
    for minutes in (0, 30, 29):
        clock.advance(timedelta(minutes=minutes))
        assert await wanted(StepUp(kept, clock), token) == ("a", "b", "c")
    slow = StepUp(kept, lambda: clock() - timedelta(minutes=60))
    assert await wanted(slow, token) == ("a", "b", "c")
