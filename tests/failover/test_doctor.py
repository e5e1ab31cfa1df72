"""What doctor says of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from latchpin.contracts import Severity
from latchpin_redis_store.checks import check_redis
from latchpin_redis_store.settings import RedisSettings

from tests.servers.clusters import ValkeyCluster


async def diagnose(url, **settings):
    """The findings by their titles."""
    values = RedisSettings(redis_url=url, **settings)
    selected = SimpleNamespace(name="redis")
    context = SimpleNamespace(
        state_backend=selected, record_backend=selected, load=lambda _: values, clock=lambda: datetime.now(UTC)
    )
    return {finding.title: finding for finding in await check_redis(context)}


async def test_a_cluster_from_health_to_ruin():
    cluster = ValkeyCluster()
    try:
        for node in cluster.nodes:
            node.ask("CONFIG", "SET", "appendonly", "yes")
        healthy = await diagnose(cluster.url)
        assert {title for title, each in healthy.items() if each.severity is not Severity.OK} == {
            "A failover may forget what was just written"
        }
        assert "All slots of the cluster have a server, one of 3" in healthy
        waiting = await diagnose(cluster.url, redis_wait_replicas=1)
        (few,) = (each for each in waiting.values() if each.severity is not Severity.OK)
        assert few.title == "A primary of the cluster has 1 replica"
        assert few.remedy == "Give each primary 2 replicas."
        cluster.owner(0).ask("CONFIG", "SET", "appendonly", "no")
        forgets = (await diagnose(cluster.url))["Redis keeps nothing over a restart"]
        assert forgets.detail.startswith(f"127.0.0.1:{cluster.owner(0).port}: ")

        victim = cluster.lose(0)
        alone = (await diagnose(f"redis+cluster://127.0.0.1:{victim.port},127.0.0.1:{cluster.owner(0).port}")).values()
        assert any(each.title == "A primary of the cluster has no replica" for each in alone)
        cluster.owner(0).kill()
        living = next(node for node in cluster.nodes if node.process.returncode is None)
        gone = f"127.0.0.1:{cluster.owner(0).port} of the cluster cannot be asked"
        broken = await diagnose(f"redis+cluster://127.0.0.1:{living.port}")
        assert broken[gone].severity is Severity.FAILURE
        assert "cluster-announce-ip" in broken[gone].remedy
    finally:
        cluster.close()


async def test_a_server_of_a_cluster_that_is_asked_alone(cluster):
    found = await diagnose(f"redis://127.0.0.1:{cluster.nodes[0].port}/0")
    assert "redis+cluster://" in found["REDIS_URL leads to one server of a cluster"].remedy


async def test_no_cluster(redis_url):
    url = redis_url.replace("redis:", "redis+cluster:").removesuffix("/0")
    (finding,) = (each for each in (await diagnose(url, redis_wait_replicas=1)).values())
    assert finding.title == "Redis cannot be asked"
    assert "cluster support disabled" in finding.detail
