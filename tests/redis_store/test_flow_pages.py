"""The list of flows is read page by page, while flows go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.model.flow_steps import FlowQuery
from latchpin.testing import MovedClock, samples
from latchpin_redis_store import flows as redis_flows

from tests.redis_store.opened import opened

pytestmark = pytest.mark.backends("redis")

LIFE = timedelta(hours=1)


async def test_a_flow_that_goes_to_the_front_meanwhile_shows_no_other_one_twice(redis_url, monkeypatch):
    monkeypatch.setattr(redis_flows, "PAGE", 2)
    clock = MovedClock()
    async with opened(redis_url, clock=clock) as (_, records):
        kept = []
        for _ in range(6):
            kept.insert(0, samples.flow(clock()))
            await records.flows.append(kept[0], life=LIFE)
            clock.advance(timedelta(minutes=1))
        seen = []
        async for flow in records.flows._newest(FlowQuery()):
            seen.append(flow.flow_id)
            if len(seen) == 2:  # the oldest goes to the front: everything moves down by one
                await records.flows.append([replace(kept[-1][-1], at=clock())], life=LIFE)
    assert seen == [flow[0].flow_id for flow in kept[:-1]]
