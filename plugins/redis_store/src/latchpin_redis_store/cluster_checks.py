"""What ``latchpin doctor`` asks a cluster: has each slot a server, is each reached from here, and who takes over?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from latchpin.contracts import Finding, Severity
from latchpin.errors import BackendUnavailable
from redis.asyncio import Redis
from redis.exceptions import RedisError

from latchpin_redis_store.client import server_client
from latchpin_redis_store.cluster import Cluster
from latchpin_redis_store.cluster_commands import ADDRESS_REMEDY, DOWN_REMEDY
from latchpin_redis_store.connection import reason_of
from latchpin_redis_store.hosts import Place
from latchpin_redis_store.slots import SLOTS, read_slots

__all__ = ["check_cluster"]

Look = Callable[[Redis], Awaitable[Sequence[Finding]]]


async def check_cluster(cluster: Cluster, wait: int, look: Look, **options: Any) -> list[Finding]:  # noqa: ANN401  redis-py's
    """Look at the cluster, and at each primary.

    Args:
        cluster: what REDIS_URL says.
        wait: REDIS_WAIT_REPLICAS.
        look: what is asked of every server.
        options: of each connection.

    Raises:
        RedisError: none of the servers in REDIS_URL answers, or it is no cluster.
        OSError: none answers.
        ValueError: the answer cannot be read.
    """
    reply, asked = await _ask_any(cluster, options)
    owners: dict[Place, int] = {}
    for slots, place in read_slots(reply, asked):
        owners[place] = owners.get(place, 0) + len(slots)
    findings = [_whole(owners), *_successors(reply, wait)]
    for place in sorted(owners):
        findings += await _look_at(cluster, place, look, options)
    return list({(each.severity, each.title, each.detail): each for each in findings}.values())


async def _ask_any(cluster: Cluster, options: dict[str, Any]) -> tuple[Any, Place]:
    error: Exception = OSError("no server answers")
    for place in cluster.seeds:
        client = server_client(cluster.server_url, place, **options)
        try:
            # In one word, the client would put the answer into another form.
            return await client.execute_command("CLUSTER", "SLOTS"), place  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as exc:
            error = exc
        finally:
            await client.aclose()
    raise error


def _whole(owners: dict[Place, int]) -> Finding:
    missing = SLOTS - sum(owners.values())
    if not missing:
        return Finding(Severity.OK, f"All slots of the cluster have a server, one of {len(owners)}")
    return Finding(
        Severity.FAILURE,
        f"{missing} of the cluster's {SLOTS} slots have no server",
        "What lies there cannot be read or written: some authorizations fail, or all.",
        DOWN_REMEDY,
        cause=BackendUnavailable.code,
    )


def _successors(reply: Any, wait: int) -> list[Finding]:  # noqa: ANN401  CLUSTER SLOTS
    """Whether each primary has a replica to take over, and then one more that its writes are waited for."""
    needed = wait + 1
    fewest = min((len(each) - 3 for each in reply), default=0)
    if fewest >= needed:
        return []
    more = f", and REDIS_WAIT_REPLICAS={wait} then waits for {wait} more" if wait else ""
    return [
        Finding(
            Severity.WARNING,
            f"A primary of the cluster has {fewest or 'no'} replica{'s' if fewest > 1 else ''}",
            f"When it fails, one takes over{more}; until that server is back, its slots cannot be "
            f"{'written' if fewest else 'used'}.",
            f"Give each primary {needed} replica{'' if needed == 1 else 's'}.",
        )
    ]


async def _look_at(cluster: Cluster, place: Place, look: Look, options: dict[str, Any]) -> list[Finding]:
    client = server_client(cluster.server_url, place, **options)
    name = f"{place[0]}:{place[1]}"
    try:
        found = await look(client)
    except (RedisError, OSError) as exc:
        detail = f"The cluster says that it has slots: {reason_of(exc)}"
        title = f"{name} of the cluster cannot be asked"
        return [Finding(Severity.FAILURE, title, detail, ADDRESS_REMEDY, cause=BackendUnavailable.code)]
    finally:
        await client.aclose()
    return [each if each.severity is Severity.OK else replace(each, detail=f"{name}: {each.detail}") for each in found]
