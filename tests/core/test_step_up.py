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
    return await notes.wanted(token.gateway_id, token.app_user_email, token.issuer)


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
    assert await notes.wanted(token.gateway_id, "other@example.com", token.issuer) == ()
    assert await notes.wanted("f" * 32, token.app_user_email, token.issuer) == ()
    assert await notes.wanted(token.gateway_id, token.app_user_email, "https://other.example") == ()


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
