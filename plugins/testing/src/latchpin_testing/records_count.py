"""The rules of counting tokens by their status."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.contracts import RecordStore
from latchpin.sdk.stores import status_of

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.records_tokens import next_revision
from latchpin_testing.rules import same

__all__ = ["CountRules"]

SECOND = timedelta(seconds=1)
LEFT = (-3600, 0, 1, 59, 60, 61, 299, 300, 301, 3600)
"""Seconds that tokens have left: on both sides of each border."""
LIVES = (300, 7200)
"""How long tokens live: of the short ones the last minute counts, of the long ones the last five."""


async def _counted(store: RecordStore, clock: MovedClock) -> dict[str, int]:
    return {status: count for status, count in (await store.tokens.count(clock())).items() if count}


async def _judged(store: RecordStore, clock: MovedClock) -> dict[str, int]:
    """What comes of reading them all."""
    found: dict[str, int] = {}
    for token in await store.tokens.list():
        status = status_of(token, clock())
        found[status] = found.get(status, 0) + 1
    return found


@pytest.mark.asyncio
class CountRules(OpenedBackend):
    """``count`` says of every token what ``status_of`` says of it."""

    async def test_tokens_are_counted_by_status(self, store: RecordStore, clock: MovedClock) -> None:
        """Of all gateways, at every border, and whether they can be renewed or not."""
        same(await _counted(store, clock), {}, "where there are no tokens there is nothing to count")
        gateways = [samples.gateway(clock()) for _ in range(2)]
        for gateway in gateways:
            await store.gateways.put(gateway)
        for number, (left, life) in enumerate((left, life) for left in LEFT for life in LIVES):
            expires_at = clock() + left * SECOND
            token = samples.stored_token(
                clock(),
                gateway_id=gateways[number % 2].id,
                app_user_email=f"user{number}@example.com",
                expires_at=expires_at,
                updated_at=expires_at - life * SECOND,
                needs_reauth=number % 7 == 0,
            )
            await store.tokens.put(token, replacing=None)
        found = await _counted(store, clock)
        same(set(found), {"valid", "near_expiry", "expired", "needs_reauth"}, "every status is counted")
        same(found, await _judged(store, clock), "the counts are those of the tokens that are stored")

    async def test_counts_follow_every_write_and_the_time(self, store: RecordStore, clock: MovedClock) -> None:
        """A token that is replaced counts once, as it is now; one that is gone does not count."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        token = samples.stored_token(clock(), gateway_id=gateway.id, expires_at=clock() + 3600 * SECOND)
        await store.tokens.put(token, replacing=None)
        same(await _counted(store, clock), {"valid": 1}, "a new token counts")
        same(dict(await store.tokens.count(token.expires_at))["expired"], 1, "a token expires at its expires_at")
        spent = next_revision(token, needs_reauth=True)
        await store.tokens.put(spent, replacing=token)
        same(await _counted(store, clock), {"needs_reauth": 1}, "a replaced token counts once, as it is now")
        await store.gateways.delete(gateway.id)
        same(await _counted(store, clock), {}, "a deleted gateway leaves nothing to count")
