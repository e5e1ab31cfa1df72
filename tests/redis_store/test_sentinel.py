"""Sentinels say which server is the primary: a failover in the middle of flows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from latchpin.errors import BackendUnavailable, StateAlreadyUsed
from latchpin.settings import masked
from latchpin_redis_store.sentinel import Sentinels, parse_sentinels
from latchpin_redis_store.settings import RedisSettings
from latchpin_testing import MovedClock, samples

from tests.redis_store.test_layout import opened
from tests.servers.clusters import SentinelGroup

DEADLINE = 60
"""Seconds that a failover may take on a busy machine; it takes one."""


@pytest.fixture
def group() -> Iterator[SentinelGroup]:
    group = SentinelGroup()
    yield group
    group.close()


async def insist(attempt):
    """Do it until it is answered: yes or no. ``BackendUnavailable`` is neither."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await attempt()
            except BackendUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.backends("redis")
async def test_a_failover_in_the_middle_of_fifty_flows(backend, group):
    """Two workers take each state. Each is won or refused, none is won twice, and no record that was kept is gone."""
    clock = MovedClock()
    flows = [samples.pending_authorization(clock()) for _ in range(50)]
    settings = {"redis_wait_replicas": 1, "redis_max_retries": 1}
    async with opened(group.url, clock=clock, **settings) as (states, records), opened(group.url, clock=clock) as other:
        for flow in flows:
            await states.put(flow)
        gateway = samples.gateway(clock())
        await records.gateways.put(gateway)
        ended: Counter[str] = Counter()

        async def take(store, flow):
            try:
                taken = await insist(lambda: store.consume(flow.key))
            except StateAlreadyUsed:
                return
            assert taken == flow
            ended[flow.key.state] += 1

        tasks = [asyncio.create_task(take(states, flow)) for flow in flows[:25]]
        await asyncio.gather(*tasks)  # their consumption is known to the replica
        group.primary.kill()
        again = [asyncio.create_task(take(store, flow)) for flow in flows for store in (states, other[0])]
        await asyncio.gather(*again)
        assert set(ended.values()) == {1}, "none was won twice"
        assert ended.keys() >= {flow.key.state for flow in flows[:25]}
        fresh = samples.pending_authorization(clock())
        await insist(lambda: states.put(fresh))
        assert await insist(lambda: records.gateways.get(gateway.id)) == gateway


@pytest.mark.backends("redis")
async def test_a_write_that_no_replica_has_does_not_count(backend, group):
    clock = MovedClock()
    async with opened(group.url, clock=clock, redis_wait_replicas=1) as (states, _):
        await insist(lambda: states.put(samples.pending_authorization(clock())))
        for replica in group.replicas:
            replica.kill()
        with pytest.raises(BackendUnavailable, match="REDIS_WAIT_REPLICAS is 1"):
            await states.put(samples.pending_authorization(clock()))


async def test_who_is_no_sentinel_is_said(redis_url):
    url = redis_url.replace("redis://", "redis+sentinel://").replace("/0", "/latchpin/0")
    with pytest.raises(BackendUnavailable, match=r"redis\+sentinel"):
        async with opened(url, redis_max_retries=1):
            pass


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis+sentinel://a/n", Sentinels((("a", 26379),), "n", "redis://primary/0")),
        (
            "rediss+sentinel://u:p%40w@a:1,[::1]:2/n/3?ssl_ca_certs=/ca.pem",
            Sentinels((("a", 1), ("::1", 2)), "n", "rediss://u:p%40w@primary/3?ssl_ca_certs=/ca.pem"),
        ),
        ("redis://a:6379/0", None),
    ],
)
def test_addresses(url, found):
    assert parse_sentinels(url) == found
    assert RedisSettings(redis_url=url).redis_url == url


def test_settings_do_not_show_the_password():
    settings = RedisSettings(redis_url="redis+sentinel://:s3cr3t@a:1,b:2/n/0", redis_sentinel_password="s3cr3t")
    assert "s3cr3t" not in repr(settings) + str(masked(settings))
