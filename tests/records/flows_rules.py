"""The rules of a record store's history of flows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from latchpin_flows.steps import MOST_STEPS, FlowStep
from latchpin_flows.summaries import FlowQuery, FlowSummary, summarize
from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.rules import gives, holds, outcomes, same

from tests.inspector.sample_flows import sample_flow
from tests.records.opened import OpenedPieces, Pieces

__all__ = ["FlowRules"]

ADA, BOB = "ada@example.com", "bob@example.com"
LIFE = timedelta(hours=24)
SECOND = timedelta(seconds=1)
EVERY = FlowQuery()


async def _put_flows(store: Pieces, clock: MovedClock, count: int) -> list[FlowSummary]:
    """Completed flows, a minute after each other, the newest first."""
    kept: list[FlowSummary] = []
    for _ in range(count):
        steps = sample_flow(clock())
        await store.flows.append(steps, life=LIFE)
        kept.insert(0, summarize(steps))
        clock.advance(timedelta(minutes=1))
    return kept


def _returned(step: FlowStep, at: datetime) -> FlowStep:
    return replace(step, at=at, step="returned", facts={"answer": "code", "away_seconds": 1.5, "issued_by": "w"})


@pytest.mark.asyncio
class FlowRules(OpenedPieces):
    """Steps come in batches from any process and in any order; people read whole flows."""

    async def test_flow_round_trip(self, store: Pieces, clock: MovedClock) -> None:
        """Every kind of step comes back with every fact."""
        steps = sample_flow(clock(), failed=True)
        await store.flows.append(steps, life=LIFE)
        await gives(store.flows.get(steps[0].flow_id), tuple(steps), "a flow's steps come back exactly as they were")
        await gives(store.flows.get(samples.new_id()), (), "an unknown flow has no steps")
        await gives(store.flows.get("\u00fc'%_"), (), "an id that cannot be one is unknown")
        await gives(store.flows.append([], life=LIFE), None, "an empty batch is nothing")

    async def test_flow_text_is_kept_as_it_is(self, store: Pieces, clock: MovedClock) -> None:
        """Facts hold what other servers chose, and addresses any script."""
        odd = "\u00fc\u65e5\U0001f600 'q' \"d\" \\ %s\n\u0000\u2028"
        steps = sample_flow(clock(), issuer=odd, app_user_email="j\u00fcrgen@example.com")
        await store.flows.append(steps, life=LIFE)
        await gives(store.flows.get(steps[0].flow_id), tuple(steps), "any text in a fact comes back as it was")
        found = await store.flows.list(FlowQuery(app_user_email="j\u00fcrgen@example.com"), limit=9)
        same(found, [summarize(steps)], "a user of any script is found")
        long = "\u65e5" * 240 + "@example.com"  # 252 characters, as an address may have, and 732 bytes
        steps = sample_flow(clock(), app_user_email=long)
        await store.flows.append(steps, life=LIFE)
        found = await store.flows.list(FlowQuery(app_user_email=long), limit=9)
        same(found, [summarize(steps)], "and one with a long address")

    async def test_flow_in_batches_of_any_order(self, store: Pieces, clock: MovedClock) -> None:
        """One worker's half may be written before the other's, and a batch may come twice."""
        steps = sample_flow(clock())
        for batch in (steps[5:], steps[:5], steps[5:], steps[3:7]):
            await store.flows.append(batch, life=LIFE)
        flow_id = steps[0].flow_id
        await gives(store.flows.get(flow_id), tuple(steps), "each step is kept once, and given in its order")
        await gives(store.flows.list(EVERY, limit=9), [summarize(steps)], "a list shows each flow once and whole")

    async def test_flow_cause_is_its_first_failure(self, store: Pieces, clock: MovedClock) -> None:
        """Whichever worker's failure is written first."""
        steps = sample_flow(clock(), failed=True)
        begun, failed = steps[:3], steps[-1]
        earlier = replace(failed, at=failed.at - SECOND, facts={**failed.facts, "cause": "state-expired"})
        for batch in ([failed], begun, [earlier]):
            await store.flows.append(batch, life=LIFE)
        expected = summarize([*begun, earlier, failed])
        same(expected.cause, "state-expired", "summarize gives the first failure's cause")
        await gives(store.flows.list(EVERY, limit=9), [expected], "a flow's cause is that of its first failure")
        await gives(store.flows.list(FlowQuery(cause="state-used"), limit=9), [], "a flow's cause is one")

    async def test_flow_written_by_many_at_once(self, store: Pieces, clock: MovedClock) -> None:
        """Every step of one flow and of twenty others, all at once: none is lost."""
        flows = [sample_flow(clock()) for _ in range(20)]
        batches = [[step] for step in flows[0]] + [flow[:4] for flow in flows] + [flow[4:] for flow in flows]
        results = await outcomes(store.flows.append(batch, life=LIFE) for batch in batches)
        strange = [result for result in results if isinstance(result, BaseException)]
        holds(not strange, "appending at once disturbs nobody", repr(strange[:1]))
        for flow in flows:
            await gives(store.flows.get(flow[0].flow_id), tuple(flow), "appending at once loses no step")

    async def test_flow_list_is_by_the_last_step(self, store: Pieces, clock: MovedClock) -> None:
        """The newest first; ``before`` goes on where a page ended; a new step brings an old flow to the front."""
        kept = await _put_flows(store, clock, 5)
        await gives(store.flows.list(EVERY, limit=9), kept, "flows are listed by their last step, newest first")
        await gives(store.flows.list(EVERY, limit=2), kept[:2], "no more than limit are listed")
        rest = FlowQuery(before=kept[1].last_at)
        await gives(store.flows.list(rest, limit=9), kept[2:], "before leaves out that moment and what is newer")
        oldest = (await store.flows.get(kept[4].flow_id))[0]
        await store.flows.append([_returned(oldest, clock())], life=LIFE)
        seen = [flow.flow_id for flow in await store.flows.list(EVERY, limit=9)]
        same(seen[0], kept[4].flow_id, "a new step brings a flow to the front")
        same(sorted(seen), sorted(flow.flow_id for flow in kept), "a new step makes no second flow")

    async def test_flow_list_goes_on_between_flows_of_one_moment(self, store: Pieces, clock: MovedClock) -> None:
        """A page may end between flows whose last steps have one time: none is left out, none comes twice."""
        flows = [sample_flow(clock()) for _ in range(5)]
        expected = sorted((flow[0].flow_id for flow in flows), reverse=True)
        await store.flows.append([step for flow in flows for step in flow], life=LIFE)
        query, seen = EVERY, list[str]()
        while page := await store.flows.list(query, limit=2):
            seen += [flow.flow_id for flow in page]
            query = FlowQuery(before=page[-1].last_at, before_id=page[-1].flow_id)
        same(seen, expected, "flows of one moment are listed by their ids, the largest first, over many pages")

    async def test_flow_filters(self, store: Pieces, clock: MovedClock) -> None:
        """By gateway, user, outcome and cause, and by several of them."""
        here, there = samples.new_id(), samples.new_id()
        flows = {
            "a": sample_flow(clock(), gateway_id=here, app_user_email=ADA),
            "b": sample_flow(clock() + SECOND, gateway_id=here, app_user_email=BOB, failed=True)[:4],
            "c": sample_flow(clock() + 2 * SECOND, gateway_id=there, app_user_email=ADA, failed=True),
            "d": sample_flow(clock() + 3 * SECOND, gateway_id=there, app_user_email=BOB)[:3],
        }
        failed = sample_flow(clock(), failed=True)[-1].facts
        flows["b"].append(replace(flows["b"][0], at=clock() + 20 * SECOND, step="failed", facts=failed))
        await store.flows.append([step for flow in flows.values() for step in flow], life=LIFE)
        for query, expected in (
            (FlowQuery(gateway_id=here), "ba"),
            (FlowQuery(app_user_email=ADA), "ca"),
            (FlowQuery(app_user_email=ADA.upper()), ""),
            (FlowQuery(outcome="completed"), "ca"),
            (FlowQuery(outcome="failed"), "b"),
            (FlowQuery(outcome="pending"), "d"),
            (FlowQuery(cause="state-used"), "bc"),
            (FlowQuery(cause="state-expired"), ""),
            (FlowQuery(gateway_id=there, app_user_email=BOB), "d"),
            (FlowQuery(app_user_email=ADA, cause="state-used"), "c"),
        ):
            seen = [flow.flow_id for flow in await store.flows.list(query, limit=9)]
            same(seen, [flows[name][0].flow_id for name in expected], f"the list keeps to {query}")

    async def test_flow_purge(self, store: Pieces, clock: MovedClock) -> None:
        """What is older than that goes, then the oldest of too many; nothing else."""
        kept = await _put_flows(store, clock, 6)
        await gives(store.flows.purge(before=kept[4].last_at, most=9), 1, "purge says how many it removed")
        await gives(store.flows.list(EVERY, limit=9), kept[:5], "purge removes what is older, and not that moment")
        await gives(store.flows.purge(before=kept[4].last_at, most=3), 2, "beyond most, the oldest go")
        await gives(store.flows.list(EVERY, limit=9), kept[:3], "beyond most, the oldest go")
        await gives(store.flows.get(kept[5].flow_id), (), "a purged flow has no steps")
        await gives(store.flows.purge(before=kept[4].last_at, most=3), 0, "a second purge finds nothing")
        await gives(store.flows.purge(before=clock(), most=3), 3, "purge removes what is older")

    async def test_flow_keeps_its_first_steps(self, store: Pieces, clock: MovedClock) -> None:
        """Whoever repeats a callback without end fills no store."""
        first = sample_flow(clock())[0]
        steps = [first, *(_returned(first, clock() + number * SECOND) for number in range(1, MOST_STEPS + 50))]
        for start in range(0, len(steps), 100):
            await store.flows.append(steps[start : start + 100], life=LIFE)
        seen = await store.flows.get(first.flow_id)
        same(len(seen), MOST_STEPS, "a flow keeps so many steps and no more")
        same(seen[0], first, "a flow keeps its first steps")

    async def test_flow_outlives_its_gateway(self, store: Pieces, clock: MovedClock) -> None:
        """It may be why the gateway was deleted."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        steps = sample_flow(clock(), gateway_id=gateway.id)
        await store.flows.append(steps, life=LIFE)
        await store.gateways.delete(gateway.id)
        await gives(store.flows.get(steps[0].flow_id), tuple(steps), "a deleted gateway's flows stay until purged")
