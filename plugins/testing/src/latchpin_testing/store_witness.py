"""The suite for a state store that can tell about itself (``latchpin.contracts.StoreDiagnostics``), beside its own.

class TestMyWitness(StoreWitnessContract):
...the fixtures of your StateStoreContract
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.contracts import StoreDiagnostics

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import Advance, AnyOffer, AnySettings, AnyStore, OpenedBackend
from latchpin_testing.rules import found, holds, same

__all__ = ["StoreWitnessContract"]

DAY = timedelta(days=1)


@pytest.mark.asyncio
class StoreWitnessContract(OpenedBackend):
    """What a diagnosis relies on: the name stands for the data, for as long as they are there."""

    async def test_it_is_a_witness(self, store: AnyStore) -> None:
        """The gateway asks only what has ``facts``."""
        holds(isinstance(store, StoreDiagnostics), "the store has a method 'facts'")

    async def test_the_name_stays(self, store: AnyStore, clock: MovedClock, advance: Advance) -> None:
        """Whatever is put, consumed and purged, and however long it takes, name and beginning stay."""
        began = clock()
        first = await store.facts()
        holds(8 <= len(first.name) <= 64, "the name is 8 to 64 characters", found(first.name))
        holds(first.name.isascii() and first.name.isalnum(), "the name is letters and digits", found(first.name))
        holds(first.since <= clock(), "it began in the past", found(first.since))
        holds(abs(first.since - began) < timedelta(seconds=1), "an empty store begins now", found(first.since))
        await store.put(samples.pending_authorization(clock()))
        await store.purge(everything=True)
        await advance(DAY)
        again = await store.facts()
        same((again.name, again.since), (first.name, first.since), "the name and the beginning stay")

    async def test_every_process_is_told_the_same(
        self, store: AnyStore, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """Another process that shares the data is told the same name; one that does not, another."""
        mine = await store.facts()
        async with SuiteContext(clock, instance_id="another") as context, offer.open(settings, context) as other:
            theirs = await other.facts()
        holds((theirs.name == mine.name) == offer.shared, "the name is shared exactly if the data are")

    async def test_nothing_was_thrown_away(self, store: AnyStore, clock: MovedClock) -> None:
        """A store that has room has thrown nothing away, and its clock has a time zone."""
        await store.put(samples.pending_authorization(clock()))
        facts = await store.facts()
        same(facts.evictions, "", "a store that has room has thrown nothing away")
        holds(facts.now is None or facts.now.tzinfo is not None, "its clock is aware", found(facts.now))
