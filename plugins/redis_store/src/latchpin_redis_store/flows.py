"""The history of flows on Redis: a hash for each flow, and indexes by the time of its last step.

    latchpin:{flows}:flow:id            "of" to whose it is, and each step, a line of JSON, to nothing
    latchpin:{flows}:all                sorted set of ids by the last step's time, in microseconds
    latchpin:{flows}:gateway:id         the same for one gateway
    latchpin:{flows}:user:address       the same for one user

Every key ends by itself. The braces are a hash tag: the history lies together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from latchpin.journal.text import dump_step, parse_steps
from latchpin.model import MOST_STEPS, FlowQuery, FlowStep, FlowSummary, in_order, summarize

from latchpin_redis_store.codec import foreign, to_json
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.scripts import APPEND_FLOW

__all__ = ["RedisFlows"]

PREFIX = "latchpin:{flows}:"
ALL = f"{PREFIX}all"
OF = b"of"
PAGE = 200
PURGED_AT_ONCE = 10_000
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _score(moment: datetime) -> int:
    """A time as a sorted set's number: microseconds are exact in its doubles for two hundred years."""
    return (moment - EPOCH) // MICROSECOND


def _key(flow_id: str) -> str:
    return f"{PREFIX}flow:{flow_id}"


def _index_of(query: FlowQuery) -> str:
    """The smallest index that has every flow that matches."""
    if query.app_user_email is not None:
        return f"{PREFIX}user:{query.app_user_email}"
    if query.gateway_id is not None:
        return f"{PREFIX}gateway:{query.gateway_id}"
    return ALL


class RedisFlows:
    """Implements ``latchpin.contracts.FlowRecords``."""

    def __init__(self, commands: Commands) -> None:
        self._ask = commands.ask
        self._run = commands.run
        self._ask_all = commands.ask_all

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:
        """Keep ``steps``: one script for each flow, all in one round trip."""
        flows: dict[str, list[FlowStep]] = {}
        for step in steps:
            flows.setdefault(step.flow_id, []).append(step)
        await asyncio.gather(*(self._append(each, life) for each in flows.values()))

    async def _append(self, steps: Sequence[FlowStep], life: timedelta) -> None:
        first, last = steps[0], max(step.at for step in steps)
        of_gateway, of_user = f"{PREFIX}gateway:{first.gateway_id}", f"{PREFIX}user:{first.app_user_email}"
        owner = to_json({"gateway_id": first.gateway_id, "app_user_email": first.app_user_email})
        life_ms = max(1, life // timedelta(milliseconds=1))
        words = (owner, first.flow_id, _score(last), life_ms, MOST_STEPS, _score(last - life))
        keys = (_key(first.flow_id), ALL, of_gateway, of_user)
        await self._run(APPEND_FLOW, keys, *words, *map(dump_step, steps))

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps."""
        return tuple(_load(flow_id, await self._ask("HGETALL", _key(flow_id))))

    async def purge(self, *, before: datetime, most: int) -> int:
        """Remove what is older, and the oldest beyond ``most``. What ended by itself is not counted."""
        old, held = await self._ask_all([("ZCOUNT", ALL, "-inf", f"({_score(before)}"), ("ZCARD", ALL)])
        over = min(max(old, held - most), PURGED_AT_ONCE)
        if over <= 0:
            return 0
        ids = [id_.decode() for id_ in await self._ask("ZRANGE", ALL, 0, over - 1)]
        gone, _ = await self._ask_all([("UNLINK", *map(_key, ids)), ("ZREM", ALL, *ids)])
        return int(gone)

    async def list(self, query: FlowQuery, *, limit: int) -> list[FlowSummary]:
        """Those that match, newest last step first; it looks at a page of flows at a time."""
        found: list[FlowSummary] = []
        async for flow in self._newest(query):
            if query.matches(flow):
                found.append(flow)
            if len(found) >= limit:
                break
        return sorted(found, key=lambda flow: (flow.last_at, flow.flow_id), reverse=True)

    async def _newest(self, query: FlowQuery) -> AsyncIterator[FlowSummary]:
        index, start = _index_of(query), 0
        seen: set[str] = set()  # a flow that goes to the front meanwhile pushes others onto the next page, once more
        top = "+inf" if query.before is None else str(_score(query.before))  # that moment too: ``matches`` looks closer
        while ids := await self._ask("ZREVRANGEBYSCORE", index, top, "-inf", "LIMIT", start, PAGE):
            names = [name for id_ in ids if (name := id_.decode()) not in seen]
            seen.update(names)
            held = await self._ask_all([("HGETALL", _key(name)) for name in names])
            for name, pairs in zip(names, held, strict=True):
                if steps := _load(name, pairs):
                    yield summarize(steps)
            start += len(ids)


def _load(flow_id: str, pairs: Sequence[bytes]) -> list[FlowStep]:
    held = dict(zip(pairs[::2], pairs[1::2], strict=True))
    owner = held.pop(OF, None)
    if owner is None:
        return []
    try:
        of = json.loads(owner)
        steps = parse_steps(held, flow_id=flow_id, gateway_id=of["gateway_id"], app_user_email=of["app_user_email"])
    except (ValueError, TypeError, KeyError) as exc:
        raise foreign(_key(flow_id), exc) from exc
    return in_order(steps)
