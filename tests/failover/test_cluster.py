"""A Redis Cluster of three primaries and their replicas: what moves, what dies, and what people notice of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from latchpin.errors import BackendUnavailable, StateAlreadyUsed
from latchpin_redis_store.slots import SLOTS, slot_of
from latchpin_testing import MovedClock, samples
from redis.asyncio import Redis

from tests.failover.conftest import live_through
from tests.redis_store.test_layout import opened
from tests.servers.clusters import ValkeyCluster
from tests.support.http_servers import relay_to

NOW = MovedClock()()
RECORDS = slot_of(("GET", "{latchpin}:gateways"))


@pytest.fixture
def mortal() -> Iterator[ValkeyCluster]:
    """A cluster of this test's own, which may kill some of it."""
    cluster = ValkeyCluster()
    yield cluster
    cluster.close()


def slot_of_state(pending):
    return slot_of(("GET", f"oauth:state:{pending.key.gateway_id}:{pending.key.state}"))


async def test_slots_move_and_a_primary_dies_while_people_authorize_and_tokens_are_refreshed(mortal, tmp_path):
    """The primary that has all records and a third of the states."""

    def outage() -> None:
        for _ in range(2):
            source = mortal.owner(RECORDS)
            mortal.move(RECORDS, next(node for node in mortal.primaries() if node is not source))
        for slot in range(0, SLOTS, 500):
            mortal.move(slot, mortal.owner((slot + SLOTS // 2) % SLOTS))
        victim = mortal.lose(RECORDS)
        victim.start()  # the server that took over needs a replica: REDIS_WAIT_REPLICAS

    environment = {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": mortal.url, "REDIS_WAIT_REPLICAS": "1"}
    await live_through(environment, tmp_path, lambda _: asyncio.to_thread(outage))


async def test_a_state_whose_slot_is_on_its_way_is_put_and_taken_once(cluster):
    """ASK while it moves, MOVED afterwards; two workers."""
    async with opened(cluster.url) as (states, _), opened(cluster.url) as (others, _):
        for _ in range(6):
            before, meanwhile = (samples.pending_authorization(NOW) for _ in range(2))
            await states.put(before)
            for pending in (before, meanwhile):
                slot = slot_of_state(pending)
                source = cluster.owner(slot)
                target = next(node for node in cluster.primaries() if node is not source)
                cluster.begin_to_move(slot, target)
                if pending is meanwhile:  # absent at the source: the target is asked
                    await states.put(pending)
                assert await others.consume(pending.key) == pending
                for store in (states, others):
                    with pytest.raises(StateAlreadyUsed):
                        await store.consume(pending.key)
                cluster.move(slot, target)
                for store in (states, others):
                    with pytest.raises(StateAlreadyUsed):
                        await store.consume(pending.key)


async def test_records_on_their_way_are_waited_for_and_then_refused_with_a_remedy(cluster):
    gateway, slot = samples.gateway(NOW), RECORDS
    token = samples.stored_token(NOW, gateway_id=gateway.id)
    async with opened(cluster.url) as (_, records):
        await records.gateways.put(gateway)
        source = cluster.owner(slot)
        target = next(node for node in cluster.primaries() if node is not source)
        cluster.begin_to_move(slot, target)
        with pytest.raises(BackendUnavailable, match="Redis Cluster at") as caught:
            await records.tokens.put(token, replacing=None)  # some of its keys are there, and others nowhere
        assert "redis-cli --cluster check" in caught.value.operator_remedy
        waiting = asyncio.create_task(records.tokens.put(token, replacing=None))
        await asyncio.to_thread(cluster.move, slot, target)
        await waiting
        assert await records.tokens.get(gateway.id, token.app_user_email) == token


async def test_an_address_that_leads_nowhere_is_named(mortal):
    """As behind a container's network: the server answers, and calls itself by an address of its own."""
    node = mortal.owner(0)
    async with await asyncio.start_server(relay_to(node.port), "127.0.0.1", 0) as server:
        url = f"redis+cluster://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with opened(url) as (states, _):
            await states.check()
        for other in mortal.nodes:
            other.ask("CONFIG", "SET", "cluster-announce-port", 1)
        with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
            async with opened(url, redis_max_retries=1):
                pass
    assert "cluster-announce-ip" in caught.value.remedy


async def test_a_primary_without_a_replica_is_gone_with_its_slots(mortal):
    for node in mortal.nodes:  # else the others refuse everything, too, as soon as they have noticed
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    async with opened(mortal.url) as (states, _):
        kept = [samples.pending_authorization(NOW) for _ in range(30)]
        for pending in kept:
            await states.put(pending)
        victim = mortal.owner(RECORDS)
        mortal.nodes[mortal.nodes.index(victim) + 3].kill()
        victim.kill()
        results = await asyncio.gather(*(states.consume(each.key) for each in kept), return_exceptions=True)
        refused = [each for each in results if isinstance(each, Exception)]
        assert {type(each) for each in refused} == {BackendUnavailable}
        assert 0 < len(refused) < len(kept)
        assert all(f":{victim.port} cannot be reached" in str(each) or "CLUSTERDOWN" in str(each) for each in refused)


async def test_a_server_that_is_no_cluster_and_one_that_is(redis_url, cluster):
    with pytest.raises(BackendUnavailable, match="cluster support disabled") as caught:
        async with opened(redis_url.replace("redis:", "redis+cluster:").removesuffix("/0"), redis_max_retries=1):
            pass
    assert "redis://" in caught.value.remedy
    other = next(node for node in cluster.primaries() if node is not cluster.owner(slot_of(("GET", "latchpin:layout"))))
    with pytest.raises(BackendUnavailable, match="MOVED") as caught:
        async with opened(f"redis://127.0.0.1:{other.port}/0"):
            pass
    assert "redis+cluster://" in caught.value.operator_remedy


async def test_a_user_with_the_rights_of_the_readme_is_enough(cluster):
    rights = ["on", ">pa:s/s", "resetkeys", "~oauth:state:*", "~latchpin:*", "~{latchpin}:*", "-@all", "+@read"]
    rights += ["+@write", "+@scripting", "+ping", "-@dangerous", "+time", "+info", "+cluster|slots", "+asking"]
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "ada", *rights)
    try:
        url = cluster.url.replace("://", "://ada:pa%3As%2Fs@")
        async with opened(url) as (states, records):
            pending = samples.pending_authorization(NOW)
            cluster.begin_to_move(
                slot_of_state(pending),
                next(node for node in cluster.primaries() if node is not cluster.owner(slot_of_state(pending))),
            )
            await states.put(pending)
            assert await states.consume(pending.key) == pending
            await records.gateways.put(samples.gateway(NOW))
            for store in (states, records):
                await store.check()
        with pytest.raises(BackendUnavailable, match=r"WRONGPASS|invalid username") as caught:
            async with opened(url.replace("pa%3A", "wr0ng"), redis_max_retries=1):
                pass
        assert "wr0ng" not in str(caught.value)
    finally:
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "ada")


async def test_purge_of_everything_reaches_all_of_them(cluster):
    async with opened(cluster.url) as (states, _):
        for _ in range(60):  # so many that each primary has some
            await states.put(samples.pending_authorization(NOW))
        assert len({cluster.owner(slot_of(("GET", key))).port for key in _keys(cluster, "oauth:state:*")}) == 3
        assert await states.purge(everything=True) == 60
        assert _keys(cluster, "oauth:state:*") == []


def _keys(cluster, pattern):
    return [key for node in cluster.primaries() for key in node.ask("KEYS", pattern)]


async def test_what_one_server_kept_is_taken_along(redis_url, cluster):
    """As ``redis-cli --cluster import`` brings it: under the names that it had there."""
    gateway = samples.gateway(NOW)
    token = samples.stored_token(NOW, gateway_id=gateway.id)
    client = samples.registered_client(NOW, gateway_id=gateway.id)
    pending = samples.pending_authorization(NOW)
    async with opened(redis_url) as (states, records):
        await states.put(pending)
        await records.gateways.put(gateway)
        await records.tokens.put(token, replacing=None)
        await records.clients.put(client)
        counted = await records.tokens.count(NOW)
    async with Redis.from_url(redis_url, protocol=2) as old:
        async for key in old.scan_iter():
            text, ends = await old.dump(key), max(0, await old.pttl(key))
            cluster.owner(slot_of(("GET", key))).ask("RESTORE", key, ends, text)
    for _ in range(2):  # the second finds nothing to do
        async with opened(cluster.url) as (states, records):
            assert await records.gateways.list() == [gateway]
            assert await records.tokens.list() == [token]
            assert await records.tokens.count(NOW) == counted
            assert await records.clients.get(gateway.id, client.issuer) == client
    async with opened(cluster.url) as (states, records):
        assert await states.consume(pending.key) == pending
        assert await records.gateways.delete(gateway.id)
    assert sorted(_keys(cluster, "*atchpin*")) == [b"latchpin:layout"]
