"""What lay under keys of its own before is found in the collections after a start."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from latchpin.sdk.stores import status_of
from latchpin_audit.chain import build_chain, check_chain
from latchpin_audit.entry import AuditNote
from latchpin_flows.steps import dump_step
from latchpin_redis_store.keys import PLAIN
from latchpin_testing import MovedClock, samples
from latchpin_testing.sealing import SuiteSigner
from redis.asyncio import Redis

from tests.records.stores import Pieces, sample_flow
from tests.redis_store.test_layout import opened

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = "ada@example.com"


async def test_what_was_kept_is_there_after_the_start_and_moved_once(redis_url):
    clock, flow, gateway = MovedClock(NOW), sample_flow(NOW), samples.gateway(NOW)
    chain = build_chain(None, [AuditNote(NOW, "gateway.created", "p", "", "g", {})] * 3, SuiteSigner())
    made = NOW - 9 * HOUR
    owner = json.dumps({"gateway_id": flow[0].gateway_id, "app_user_email": flow[0].app_user_email})
    async with opened(redis_url, clock=clock) as (_, records), Redis.from_url(redis_url) as client:
        await records.gateways.put(gateway)
        token = samples.stored_token(NOW, gateway_id=gateway.id)
        await records.tokens.put(token, replacing=None)
        await client.delete("latchpin:layout", *PLAIN.counted)
        ends = (NOW + HOUR).isoformat(timespec="microseconds")
        await client.set("latchpin:kept:lasting", '{"expires_at":"never","value":"a value"}')
        await client.set("latchpin:kept:ending", json.dumps({"expires_at": ends, "value": "another"}))
        times = {"created_at": made.isoformat(), "updated_at": (made + HOUR).isoformat()}
        rows = {"add": {"definition": {"name": "add"}, **times}}
        text = json.dumps({"id": ADA, "revision": 1, "tools": rows})
        await client.hset(f"latchpin:{{{gateway.id}}}:tools", ADA, text)
        steps = {dump_step(step): "" for step in flow}
        await client.hset(f"latchpin:{{flows}}:flow:{flow[0].flow_id}", mapping={"of": owner, **steps})
        await client.zadd("latchpin:{flows}:all", {flow[0].flow_id: 1})
        await client.rpush("latchpin:audit", *[json.dumps(asdict(e) | {"at": e.at.isoformat()}) for e in chain])
    for _ in range(2):
        async with opened(redis_url, clock=clock) as (_, records), Redis.from_url(redis_url) as client:
            pieces = Pieces(records, clock)
            assert await pieces.kept.list("") == {"lasting": "a value", "ending": "another"}
            [tool] = await pieces.tools.list(gateway.id, ADA)
            assert (tool.name, tool.created_at, tool.updated_at) == ("add", made, made + HOUR)
            assert await pieces.flows.get(flow[0].flow_id) == tuple(flow)
            entries = await pieces.audit.list(limit=9)
            assert entries == chain
            check_chain(entries, SuiteSigner())
            assert await records.tokens.count(NOW) == {status_of(token, NOW): 1}
            old = [key for key in await client.keys("latchpin:*") if b"{documents." not in key]
            tokens = {f"latchpin:{{{gateway.id}}}:tokens", "latchpin:renewals", *PLAIN.counted[:2]}
            assert {key.decode() for key in old} - tokens == {"latchpin:gateways", "latchpin:layout"}
