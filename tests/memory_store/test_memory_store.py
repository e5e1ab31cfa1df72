"""The memory store passes the shipped suites, and keeps to its bounds."""

import pickle
from datetime import timedelta

import pytest
from latchpin.errors import BackendUnavailable, StateExpired, StateNotFound
from latchpin.model import CollectionSpec, Document
from latchpin_memory_store import plugin
from latchpin_memory_store.collections import MemoryCollection
from latchpin_memory_store.states import MemoryStateStore
from latchpin_testing import MovedClock, RecordStoreContract, StateStoreContract, StoreWitnessContract, samples


class TestMemoryStates(StateStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()

    async def stored_bytes(self, store, settings):
        return pickle.dumps(store._entries)


class TestMemoryWitness(StoreWitnessContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class TestMemoryRecords(RecordStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()

    async def stored_bytes(self, store, settings):
        return pickle.dumps(store.held())


async def test_it_says_when_it_is_full_and_works_again_after_expiry():
    clock = MovedClock()
    store = MemoryStateStore(clock, limit=3)
    kept = [samples.pending_authorization(clock()) for _ in range(3)]
    for pending in kept:
        await store.put(pending)
    more = samples.pending_authorization(clock(), ttl=timedelta(hours=1))
    with pytest.raises(BackendUnavailable, match="full"):
        await store.put(more)
    with pytest.raises(BackendUnavailable, match="full"):
        await store.check()
    clock.advance(timedelta(seconds=360))
    await store.put(more)
    await store.check()
    assert await store.consume(more.key) == more


async def test_a_put_drops_what_expired_a_minute_ago_and_nothing_younger():
    clock = MovedClock()
    store = MemoryStateStore(clock)
    old = samples.pending_authorization(clock())
    young = samples.pending_authorization(clock(), ttl=timedelta(seconds=301))
    for pending in (old, young):
        await store.put(pending)
    clock.advance(timedelta(seconds=360))
    await store.put(samples.pending_authorization(clock()))
    with pytest.raises(StateNotFound):
        await store.consume(old.key)
    with pytest.raises(StateExpired):
        await store.consume(young.key)


async def test_purge_counts_expired_and_used():
    clock = MovedClock()
    store = MemoryStateStore(clock)
    over = [samples.pending_authorization(clock()) for _ in range(3)]
    for pending in over:
        await store.put(pending)
    await store.consume(over[0].key)
    await store.put(samples.pending_authorization(clock(), ttl=timedelta(hours=1)))
    clock.advance(timedelta(seconds=300))
    assert await store.purge() == 3
    assert await store.purge(everything=True) == 1


async def test_a_full_collection_looks_for_what_expired_only_once_something_has(monkeypatch):
    clock, looked = MovedClock(), []
    purge = MemoryCollection.purge
    monkeypatch.setattr(MemoryCollection, "purge", lambda each: looked.append(each) or purge(each))
    collection = MemoryCollection(CollectionSpec("acme_notes", disposable=True), clock, limit=3)
    hour = timedelta(hours=1)
    for number in range(9):
        await collection.put(Document(f"early-{number}", {}, expires_at=clock() + hour))
    assert looked == []
    assert list(collection.rows) == ["early-6", "early-7", "early-8"]
    clock.advance(hour)
    for number in range(9):
        await collection.put(Document(f"late-{number}", {}, expires_at=clock() + hour))
    assert len(looked) == 1
    assert list(collection.rows) == ["late-6", "late-7", "late-8"]
