"""The note of what a server did not take: by person, gateway and authorization, for an hour, and asked for once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from latchpin.authorization.refusals import MOST_WAYS, Refusals
from latchpin.model.accounts import name_account
from latchpin.records.kept import KeyValues
from latchpin_testing import MovedClock, SuiteContext
from latchpin_testing.samples import stored_token

pytestmark = pytest.mark.needs("latchpin_memory_store")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def refusals(clock: MovedClock) -> AsyncIterator[Refusals]:
    from latchpin_memory_store.plugin import latchpin_record_store
    from latchpin_memory_store.settings import MemorySettings

    async with SuiteContext(clock) as context, latchpin_record_store().open(MemorySettings(), context) as records:
        yield Refusals(KeyValues(records), clock)


@pytest.fixture
def token(clock: MovedClock):
    return replace(stored_token(now=clock()), flow_id="a" * 32)


def place(token) -> tuple[str, str]:
    return token.gateway_id, token.app_user_email


async def helps(refusals: Refusals, *noted: Any, **more: Any) -> bool:
    """Note it, and say whether another authorization may help."""
    return (await refusals.note(*noted, **more)).may_help


async def test_a_refusal_stands_until_the_person_authorizes_again(refusals: Refusals, token):
    assert not await refusals.stand(token)
    assert await helps(refusals, *place(token), token)
    assert await refusals.stand(token)
    assert await refusals.stand(replace(token, revision=token.revision + 1))  # renewed
    assert not await refusals.stand(replace(token, flow_id="b" * 32))
    assert not await refusals.stand(replace(token, app_user_email="bob@example.com"))
    assert not await refusals.stand(replace(token, gateway_id="f" * 32))


async def test_a_second_authorization_that_is_refused_within_a_minute_helps_nobody(refusals, token, clock):
    second, third = (replace(token, flow_id=letter * 32) for letter in "bc")
    assert await helps(refusals, *place(token), token)
    assert await helps(refusals, *place(token), token)  # the same refusal, told again
    clock.advance(timedelta(seconds=59))
    assert not await helps(refusals, *place(token), second)
    assert not await helps(refusals, *place(token), second)
    clock.advance(timedelta(seconds=60))
    assert await helps(refusals, *place(token), third)


async def test_who_has_no_token_may_be_sent_there_unless_they_declined(refusals, token, clock):
    assert not await refusals.may_help(*place(token))
    for _ in range(2):
        assert await helps(refusals, *place(token), None)
    assert await refusals.may_help(*place(token))
    await refusals.decline(*place(token), None)
    assert not await helps(refusals, *place(token), None)
    assert not await refusals.may_help(*place(token))
    assert await helps(refusals, "f" * 32, token.app_user_email, None)
    assert await helps(refusals, *place(token), token)  # they authorized after all
    await refusals.decline(*place(token), token)
    assert not await helps(refusals, *place(token), token)
    clock.advance(timedelta(seconds=3601))
    assert await helps(refusals, *place(token), token)


async def test_other_scopes_are_another_refusal_and_the_same_ones_are_not(refusals, token):
    second, third, fourth = (replace(token, flow_id=letter * 32) for letter in "bcd")
    assert await helps(refusals, *place(token), token)
    assert await helps(refusals, *place(token), second, wanted=("write",))
    assert await helps(refusals, *place(token), third, wanted=("share", "write"))
    assert not await helps(refusals, *place(token), fourth, wanted=("write", "share"))
    assert not await helps(refusals, *place(token), fourth)
    assert not await refusals.may_help(*place(token))


async def test_a_server_that_wants_ever_other_scopes_comes_to_an_end(refusals, token, clock):
    told = [
        await helps(refusals, *place(token), replace(token, flow_id=f"{number:032}"), wanted=(f"scope-{number}",))
        for number in range(MOST_WAYS + 2)
    ]
    assert told == [True] * MOST_WAYS + [False] * 2
    clock.advance(timedelta(seconds=60))
    assert await helps(refusals, *place(token), replace(token, flow_id="e" * 32), wanted=("scope-1",))


async def test_what_somebody_owes_has_a_name_until_they_owe_something_else(refusals, token, clock):
    assert await refusals.latest(*place(token)) is None
    first = await refusals.note(*place(token), token)
    assert (await refusals.note(*place(token), token, wanted=("write",))).name == first.name
    assert await refusals.latest(*place(token)) == first.name
    second = await refusals.note(*place(token), None)
    assert (await refusals.note(*place(token), None)).name == second.name != first.name
    clock.advance(timedelta(seconds=60))
    assert (await refusals.note(*place(token), None)).name not in {first.name, second.name}


async def test_accounts_that_somebody_makes_up_do_not_fill_the_store(refusals, token, monkeypatch):
    names: set[str] = set()
    put = refusals._kept.put

    async def noting(name: str, value: str, **more: Any) -> Any:
        names.add(name)
        return await put(name, value, **more)

    monkeypatch.setattr(refusals._kept, "put", noting)
    gateway_id, email = place(token)
    for number in range(1_000):
        assert await helps(refusals, gateway_id, name_account(email, f"made up {number}"), None)
    assert len(names) <= 256
    assert not await refusals.may_help(gateway_id, email), "the one without a label is its own"
    assert not await refusals.may_help(gateway_id, name_account("bob@example.com", "made up 1"))
