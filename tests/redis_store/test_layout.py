"""What an operator sees with redis-cli, and what copies of Redis give away."""

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.model import CollectionSpec, StateKey
from latchpin_redis_store import plugin
from latchpin_redis_store.settings import RedisSettings
from latchpin_testing import MovedClock, SuiteContext, samples
from redis.asyncio import Redis


@asynccontextmanager
async def opened(url, *, clock=None, **settings):
    """The state store and the record store, on one connection."""
    values = RedisSettings(redis_url=url, **settings)
    states, records = plugin.latchpin_state_store(), plugin.latchpin_record_store()
    async with (
        SuiteContext(clock or MovedClock()) as context,
        states.open(values, context) as state_store,
        records.open(values, context) as record_store,
    ):
        yield state_store, record_store


@pytest.fixture
async def client(redis_url):
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def test_a_state_is_readable_json_that_lives_a_minute_longer_than_it_is_good(redis_url, client):
    clock = MovedClock()
    pending = samples.pending_authorization(clock())
    key = f"oauth:state:{pending.key.gateway_id}:{pending.key.state}"
    async with opened(redis_url, clock=clock) as (states, _):
        await states.put(pending)
        assert await client.keys("oauth:state:*") == [key]
        assert 359 <= await client.ttl(key) <= 360
        held = json.loads(await client.get(key))
    assert held["app_user_email"] == pending.app_user_email
    assert held["issuer"] == pending.issuer
    assert held["used"] is False
    assert held["code_verifier"] == pending.code_verifier


async def test_a_used_state_is_a_tombstone_at_the_same_key_with_the_same_life(redis_url, client):
    clock = MovedClock()
    pending = samples.pending_authorization(clock())
    async with opened(redis_url, clock=clock) as (states, _):
        await states.put(pending)
        (key,) = await client.keys("oauth:*")
        await client.pexpire(key, 200_000)
        clock.advance(timedelta(seconds=9))
        await states.consume(pending.key)
        held = json.loads(await client.get(key))
        assert 190 <= await client.ttl(key) <= 200
    assert held.keys() == {"used", "expires_at", "used_at"}
    assert held["used_at"] == clock().isoformat()


async def test_purge_of_everything_leaves_other_keys_alone(redis_url, client):
    async with opened(redis_url) as (states, records):
        await records.gateways.put(samples.gateway(MovedClock()()))
        await client.set("somebody:else", 1)
        await states.put(samples.pending_authorization(MovedClock()()))
        assert await states.purge() == 0
        assert await states.purge(everything=True) == 1
        assert await states.purge(everything=True) == 0
        assert len(await records.gateways.list()) == 1
    assert await client.get("somebody:else") == "1"


async def test_nothing_is_left_of_a_deleted_gateway(redis_url, client):
    now = MovedClock()()
    async with opened(redis_url) as (_, records):
        gateway = samples.gateway(now)
        await records.gateways.put(gateway)
        await records.tokens.put(samples.stored_token(now, gateway_id=gateway.id), replacing=None)
        await records.clients.put(samples.registered_client(now, gateway_id=gateway.id))
        assert len(await client.keys("latchpin:*")) == 8
        await records.gateways.delete(gateway.id)
    assert await client.keys("*") == ["latchpin:layout"]


@pytest.mark.parametrize("text", ["", "null", "[]", '{"used":false}', "{", '{"used":true,"used_at":"x"}', '"x"'])
async def test_what_somebody_else_wrote_there_is_named(redis_url, client, text):
    key = StateKey("g", "s")
    await client.set("oauth:state:g:s", text)
    await client.hset("latchpin:{documents.things}:docs", "k", text)
    await client.hset("latchpin:gateways", "g", text)
    async with opened(redis_url) as (states, records):
        for call in (
            states.consume(key),
            records.collection(CollectionSpec("things")).get("k"),
            records.gateways.get("g"),
        ):
            with pytest.raises(BackendUnavailable, match="did not write"):
                await call


async def test_a_wrong_kind_of_key_is_named(redis_url, client):
    await client.lpush("oauth:state:g:s", "x")
    async with opened(redis_url) as (states, _):
        with pytest.raises(BackendUnavailable, match="WRONGTYPE"):
            await states.consume(StateKey("g", "s"))


def test_offering_redis_does_not_import_it():
    code = (
        "import sys, latchpin_redis_store.plugin as p; p.latchpin_state_store(); p.latchpin_record_store();"
        "sys.exit(any(name in sys.modules for name in ('redis', 'hiredis')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
