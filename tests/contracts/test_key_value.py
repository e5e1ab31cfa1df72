"""What stands on a bare ``KeyValue`` keeps the contracts, whatever happens between two of its steps."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import latchpin
import pytest
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin_key_value import KeyValueRecordStore, KeyValueStateStore
from latchpin_testing import MovedClock, RecordStoreContract, StateStoreContract, samples
from latchpin_testing.records_large import LargeRules


class DictKeyValue:
    def __init__(self):
        self.texts = {}
        self.before_swap = {}

    async def get(self, key):
        return self.texts.get(key)

    async def swap(self, key, old, new, *, expires_at=None):
        for kind in [kind for kind in self.before_swap if key.startswith(kind)]:
            await self.before_swap.pop(kind)()
        if self.texts.get(key) != old:
            return False
        self.texts.pop(key, None)
        if new is not None:
            self.texts[key] = new
        return True

    async def scan(self, begin, end, *, limit=None):
        found = sorted(key for key in self.texts if begin <= key < end)
        return [(key, self.texts[key]) for key in found[:limit]]


class OverADictionary:
    service: type

    @pytest.fixture
    def offer(self):
        held = DictKeyValue()

        @asynccontextmanager
        async def opened(settings, context):
            store = self.service(held, context.clock)
            store.texts = held.texts
            yield store

        return latchpin.Backend("dict", "dict", latchpin.Settings, opened, shared=False)

    async def stored_bytes(self, store, settings):
        return str(store.texts).encode()


class TestStates(OverADictionary, StateStoreContract):
    service = KeyValueStateStore


class TestRecords(OverADictionary, RecordStoreContract, LargeRules):
    service = KeyValueRecordStore


@pytest.fixture
def held():
    return DictKeyValue()


@pytest.fixture
async def store(held):
    store = KeyValueRecordStore(held, MovedClock())
    await store.gateways.put(GATEWAY)
    return store


NOW = MovedClock()()
GATEWAY = samples.gateway(NOW)


async def test_a_token_that_is_written_while_its_gateway_goes_is_refused_and_leaves_nothing(held, store):
    token = samples.stored_token(NOW, gateway_id=GATEWAY.id, renew_at=NOW)
    held.before_swap["token/"] = lambda: store.gateways.delete(GATEWAY.id)
    with pytest.raises(RecordConflict, match="is gone"):
        await store.tokens.put(token, replacing=None)
    assert held.texts == {}


async def test_a_client_that_is_written_while_its_gateway_goes_is_refused_and_leaves_nothing(held, store):
    held.before_swap["client/"] = lambda: store.gateways.delete(GATEWAY.id)
    with pytest.raises(RecordConflict, match="is gone"):
        await store.clients.put(samples.registered_client(NOW, gateway_id=GATEWAY.id))
    assert held.texts == {}


async def test_what_is_left_of_a_write_that_broke_off_is_not_due(held, store):
    token = samples.stored_token(NOW, gateway_id=GATEWAY.id, renew_at=NOW)

    async def fail():
        raise BackendUnavailable("the power went")

    held.before_swap["token/"] = fail
    with pytest.raises(BackendUnavailable):
        await store.tokens.put(token, replacing=None)
    assert await store.tokens.list_due(NOW, limit=5) == []
    await store.tokens.put(token, replacing=None)
    assert await store.tokens.list_due(NOW, limit=5) == [token]


async def test_a_renewal_that_broke_off_leaves_the_token_due_as_it_was(held, store):
    token = samples.stored_token(NOW, gateway_id=GATEWAY.id, renew_at=NOW)
    await store.tokens.put(token, replacing=None)

    async def fail():
        raise BackendUnavailable("the power went")

    held.before_swap["token/"] = fail
    sooner = replace(token, revision=token.revision + 1, renew_at=NOW - timedelta(minutes=1))
    with pytest.raises(BackendUnavailable):
        await store.tokens.put(sooner, replacing=token)
    assert await store.tokens.list_due(NOW, limit=5) == [token]
