"""What Redis can tell when a state is missing: whose data these are, its clock, and whether it evicts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Clock, StoreFacts

from latchpin_redis_store.codec import foreign, text_of
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.eviction import KEEPS_ALL, ask_if_allowed, fields_of

__all__ = ["ORIGIN", "explain_evictions", "read_facts"]

ORIGIN = "latchpin:states:origin"
"""Holds the name of the data, without an end: it goes when everything goes."""


async def read_facts(commands: Commands, clock: Clock) -> StoreFacts:
    """Read them; whoever first asks gives the data their name.

    A user of Redis who may only read and write states is told nothing but the time of this process.

    Raises:
        BackendUnavailable: Redis does not answer, or the name is not ours.
    """
    now = clock()
    fresh = json.dumps({"name": secrets.token_hex(8), "since": text_of(now)})
    await ask_if_allowed(commands, "SET", ORIGIN, fresh, "NX")
    held = await ask_if_allowed(commands, "GET", ORIGIN)
    time = await ask_if_allowed(commands, "TIME")
    try:
        origin = json.loads(held) if held is not None else {"name": "", "since": text_of(now)}
        return StoreFacts(
            name=str(origin["name"]),
            since=datetime.fromisoformat(origin["since"]),
            now=None if time is None else _moment(time),
            evictions=await _evictions(commands),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise foreign(ORIGIN, exc) from exc


def _moment(time: list[bytes]) -> datetime:
    """``TIME``: seconds since 1970, and microseconds."""
    return datetime.fromtimestamp(int(time[0]), UTC) + timedelta(microseconds=int(time[1]))


async def _evictions(commands: Commands) -> str:
    told = []
    for server in commands.servers():
        memory, stats = [await ask_if_allowed(server, "INFO", part) for part in ("memory", "stats")]
        told.append(fields_of(memory) | fields_of(stats))
    return explain_evictions(told)


def explain_evictions(told: Iterable[Mapping[str, str]]) -> str:
    """What servers threw away, by what ``INFO`` tells of each; ``""`` if none did, or none can any more."""
    found: dict[str, int] = {}
    for each in told:
        policy, evicted = each.get("maxmemory_policy", KEEPS_ALL), int(each.get("evicted_keys", "0"))
        if policy != KEEPS_ALL and evicted:
            found[policy] = found.get(policy, 0) + evicted
    if not found:
        return ""
    evicted = sum(found.values())
    keys = "key" if evicted == 1 else "keys"
    return f"it has thrown away {evicted} {keys} since it started, under maxmemory-policy {', '.join(sorted(found))}"
