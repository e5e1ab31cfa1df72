"""Sentinels that replace a Redis primary: what people notice of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.failover.conftest import Traffic, live_through
from tests.servers.clusters import SentinelGroup


@pytest.fixture
def group() -> Iterator[SentinelGroup]:
    group = SentinelGroup()
    yield group
    group.close()


async def test_a_replica_takes_over_while_people_authorize_and_tokens_are_refreshed(group, tmp_path):
    """The primary dies with writes that no replica has. Nobody was told that one of these counts."""

    async def outage(traffic: Traffic) -> None:
        await asyncio.to_thread(group.cut_off)
        await traffic.notice()
        await asyncio.to_thread(group.promote)

    environment = {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": group.url, "REDIS_WAIT_REPLICAS": "1"}
    await live_through(environment, tmp_path, outage)
