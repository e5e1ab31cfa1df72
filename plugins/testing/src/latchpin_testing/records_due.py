"""The rules of finding the tokens that are to be renewed in the background."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.contracts import RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import StoredToken

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.records_tokens import next_revision
from latchpin_testing.rules import gives, refused, same

__all__ = ["DueRules"]

MINUTE = timedelta(minutes=1)


async def _tokens(store: RecordStore, clock: MovedClock, *minutes: float | None) -> list[StoredToken]:
    """One token for each number, due so many minutes from now; None: never. Two gateways take turns."""
    gateways = [samples.gateway(clock()) for _ in range(2)]
    for gateway in gateways:
        await store.gateways.put(gateway)
    made: list[StoredToken] = []
    for number, due in enumerate(minutes):
        token = samples.stored_token(
            clock(),
            gateway_id=gateways[number % 2].id,
            app_user_email=f"user{number}@example.com",
            renew_at=None if due is None else clock() + due * MINUTE,
        )
        await store.tokens.put(token, replacing=None)
        made.append(token)
    return made


@pytest.mark.asyncio
class DueRules(OpenedBackend):
    """``list_due`` gives what is due, soonest first, and nothing that is gone or was renewed."""

    async def test_due_tokens_are_found_soonest_first(self, store: RecordStore, clock: MovedClock) -> None:
        """Of all gateways, up to and with now; those that are never due are not found."""
        later, now, never, early, first = await _tokens(store, clock, 1, 0, None, -1, -2)
        await gives(store.tokens.list_due(clock(), limit=10), [first, early, now], "what is due is found by when")
        await gives(store.tokens.list_due(clock(), limit=2), [first, early], "no more than the limit are given")
        seen = await store.tokens.list_due(clock() + MINUTE, limit=10)
        same(seen, [first, early, now, later], "a token is due at its renew_at")
        await gives(store.tokens.list_due(clock() - timedelta(days=9), limit=10), [], "what is not due is not found")
        await gives(store.tokens.get(never.gateway_id, never.app_user_email), never, "renew_at may be absent")

    async def test_due_follows_every_write(self, store: RecordStore, clock: MovedClock) -> None:
        """A renewed token is due at its new time, or not at all; a refused swap changes nothing."""
        postponed, settled, woken, lost = await _tokens(store, clock, -4, -3, None, -1)
        newer = next_revision(postponed, renew_at=clock() + MINUTE)
        await store.tokens.put(newer, replacing=postponed)
        await store.tokens.put(next_revision(settled, renew_at=None), replacing=settled)
        due = next_revision(woken, renew_at=clock() - 2 * MINUTE)
        await store.tokens.put(due, replacing=woken)
        late = next_revision(postponed, renew_at=clock() - MINUTE)
        await refused(store.tokens.put(late, replacing=postponed), RecordConflict, "a late writer is refused")
        await gives(store.tokens.list_due(clock(), limit=10), [due, lost], "what is due follows every write")
        seen = await store.tokens.list_due(clock() + MINUTE, limit=10)
        same(seen, [due, lost, newer], "a postponed token is due at its new time, as it is stored now")

    async def test_due_tokens_that_are_gone(self, store: RecordStore, clock: MovedClock) -> None:
        """Whatever removes a token removes it here; one that is made anew is due at its own time."""
        one, other, more, last = await _tokens(store, clock, -4, -3, -2, -1)
        await store.tokens.delete(one.gateway_id, one.app_user_email)
        await gives(store.tokens.list_due(clock(), limit=10), [other, more, last], "a deleted token is not due")
        again = samples.stored_token(clock(), gateway_id=one.gateway_id, app_user_email=one.app_user_email)
        await store.tokens.put(again, replacing=None)
        await gives(store.tokens.list_due(clock(), limit=10), [other, more, last], "a new token is due when it says")
        await store.tokens.delete_all(more.gateway_id)
        await gives(store.tokens.list_due(clock(), limit=10), [other, last], "delete_all leaves nothing due")
        await store.gateways.delete(other.gateway_id)
        await gives(store.tokens.list_due(clock(), limit=10), [], "a deleted gateway leaves nothing due")
