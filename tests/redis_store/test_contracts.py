"""The Redis store passes the shipped suites, four processes included."""

import pytest
from latchpin_redis_store import connection, plugin
from latchpin_redis_store.settings import RedisSettings
from latchpin_testing import (
    CheapCountContract,
    SharedRecordStoreContract,
    SharedStateStoreContract,
    StoreWitnessContract,
)
from redis.asyncio import Redis


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right answers are asked for here, and may come late; that callers hear in time is tested in ``test_faults``."""
    for name in ("BATCH_SECONDS", "PROOF_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(connection, name, 60)


class OnRedis:
    """What both suites need to know about Redis."""

    @pytest.fixture
    def settings(self, redis_url):
        return RedisSettings(redis_url=redis_url)

    async def time_passes(self, settings, duration):
        """Redis counts time by itself: shorten every life, as if that time had passed there."""
        async with Redis.from_url(settings.redis_url) as client:
            async for key in client.scan_iter():
                left = await client.pttl(key)
                if left >= 0:
                    await client.pexpire(key, left - round(duration.total_seconds() * 1000))

    async def stored_bytes(self, store, settings):
        async with Redis.from_url(settings.redis_url) as client:
            held = b""
            async for key in client.scan_iter():
                held += key + repr(await self.read(client, key)).encode()
            return held

    async def read(self, client, key):
        match await client.type(key):
            case b"hash":
                return await client.hgetall(key)
            case b"zset":
                return await client.zrange(key, 0, -1)
        return await client.get(key)


class TestRedisStates(OnRedis, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class TestRedisRecords(OnRedis, CheapCountContract, SharedRecordStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()


class TestRedisWitness(OnRedis, StoreWitnessContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()
