"""The rules of a record store's gateways."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.contracts import RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import ApiKeyConfig, OAuthConfig

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same

__all__ = ["GatewayRecordRules"]


@pytest.mark.asyncio
class GatewayRecordRules(OpenedBackend):
    """Create, look, list, and replace by revision."""

    async def test_gateway_round_trip(self, store: RecordStore, clock: MovedClock) -> None:
        """Every field survives, the filled-in ones and the absent ones."""
        full = samples.gateway(clock())
        bare = samples.gateway(clock(), auth_type="none", oauth=None, allowed_users=(), pinned_issuer=None)
        plain = samples.gateway(clock(), oauth=OAuthConfig())
        shared = samples.gateway(clock(), connection="shared", api_key=ApiKeyConfig(header="X-Key", prefix="Key "))
        for gateway in (full, bare, plain, shared):
            await store.gateways.put(gateway)
            await gives(store.gateways.get(gateway.id), gateway, "get gives exactly what was put")

    async def test_absent_gateway_is_none(self, store: RecordStore) -> None:
        """Expected absence is None, not an exception."""
        await gives(store.gateways.get(samples.new_id()), None, "an absent gateway is None")

    async def test_gateways_are_listed_oldest_first(self, store: RecordStore, clock: MovedClock) -> None:
        """In the order of creation, whatever the ids and the order of writing."""
        ages = [3, 1, 4, 0, 2]
        made = [samples.gateway(clock() + timedelta(seconds=age), name=f"no {age}") for age in ages]
        for gateway in made:
            await store.gateways.put(gateway)
        names = [gateway.name for gateway in await store.gateways.list()]
        same(names, [f"no {age}" for age in sorted(ages)], "gateways are listed oldest first")

    async def test_gateway_put_twice(self, store: RecordStore, clock: MovedClock) -> None:
        """An id is created once."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        other = replace(gateway, name="other")
        await refused(store.gateways.put(other), RecordConflict, "a gateway's id is created once")
        await gives(store.gateways.get(gateway.id), gateway, "a refused put changes nothing")

    async def test_gateway_replace(self, store: RecordStore, clock: MovedClock) -> None:
        """The next revision is written whole."""
        first = samples.gateway(clock())
        await store.gateways.put(first)
        clock.advance(timedelta(minutes=1))
        second = replace(first, name="new", oauth=None, auth_type="none", revision=2, updated_at=clock())
        await store.gateways.replace(second)
        await gives(store.gateways.get(first.id), second, "replace writes the new record whole")
        await gives(store.gateways.list(), [second], "replace leaves one record")

    @pytest.mark.parametrize("revision", [1, 3])
    async def test_gateway_replace_of_another_revision(
        self, store: RecordStore, clock: MovedClock, revision: int
    ) -> None:
        """Only the revision after the stored one is written."""
        first = samples.gateway(clock())
        await store.gateways.put(first)
        stale = replace(first, name="stale", revision=revision)
        rule = "replace writes only over the revision before its own"
        await refused(store.gateways.replace(stale), RecordConflict, rule)
        await gives(store.gateways.get(first.id), first, "a refused replace changes nothing")

    async def test_gateway_replace_of_nothing(self, store: RecordStore, clock: MovedClock) -> None:
        """What was deleted is not brought back by a late writer."""
        gateway = samples.gateway(clock(), revision=2)
        await refused(store.gateways.replace(gateway), RecordConflict, "replace never creates")
        await gives(store.gateways.get(gateway.id), None, "a refused replace changes nothing")

    async def test_gateway_replaced_by_many(self, store: RecordStore, clock: MovedClock) -> None:
        """Of twenty writers of the next revision one succeeds."""
        first = samples.gateway(clock())
        await store.gateways.put(first)
        writers = [replace(first, name=f"writer {number}", revision=2) for number in range(20)]
        results = await outcomes(store.gateways.replace(writer) for writer in writers)
        winners = [writer for writer, result in zip(writers, results, strict=True) if result is None]
        losers = [result for result in results if isinstance(result, RecordConflict)]
        holds(len(winners) == 1 and len(losers) == 19, "of many writers of one revision one succeeds", found(results))
        await gives(store.gateways.get(first.id), winners[0], "what the winner wrote is what is stored")
