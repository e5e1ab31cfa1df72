"""The note of missing scopes: by user, gateway and issuer, bounded, and gone after an hour."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.step_up import MOST_SCOPES, MOST_STEPS, StepUp
from latchpin.testing import MovedClock
from latchpin.testing.samples import stored_token
from latchpin_memory_store.records import MemoryRecordStore


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def notes(clock: MovedClock) -> StepUp:
    return StepUp(MemoryRecordStore(clock).kept, clock)


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


async def test_an_operation_is_refused_once_enough_tokens_did_not_help(notes, token):
    for revision in range(1, MOST_STEPS):
        again = replace(token, revision=revision)
        assert await notes.note(again, ["c"], operation="one")
        assert await notes.note(again, ["c"], operation="one")
    last = replace(token, revision=MOST_STEPS)
    assert not await notes.note(last, ["c"], operation="one")
    assert await notes.note(last, ["c"], operation="two")
