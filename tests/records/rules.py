"""Rules about what the core keeps in a store, held by every store."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from latchpin.errors import RecordConflict
from latchpin.model import Gateway, StoredTool, ToolChanges
from latchpin_audit.entry import AuditEntry
from latchpin_flows.steps import MOST_STEPS, FlowStep
from latchpin_flows.summaries import FlowQuery, FlowSummary, summarize
from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import Advance
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same
from latchpin_testing.samples import new_id

from tests.records.stores import OpenedPieces, Pieces, sample_flow

# Entries to be kept, as they would stand in a log.


def audit_entries(now: datetime, count: int, *, gateway_id: str | None = None) -> list[AuditEntry]:
    """The first ``count`` entries of an audit log, each after the one before; their signatures mean nothing."""
    entries: list[AuditEntry] = []
    for number in range(1, count + 1):
        entries.append(
            AuditEntry(
                number=number,
                at=now + timedelta(microseconds=number),
                event="token.disconnected",
                actor="person-0123456789abcdef01234567",
                subject="person-89abcdef0123456789abcdef",
                gateway_id=gateway_id or new_id(),
                facts={"answer": "the server said '\u00fc'"} if number % 2 else {},
                previous=entries[-1].signature if entries else "",
                key_id="suite",
                signature=secrets.token_hex(32),
            )
        )
    return entries


# The rules of a record store's audit log: one chain, whoever extends it.


@pytest.mark.asyncio
class AuditRules(OpenedPieces):
    """Entries go behind the last one or nowhere."""

    async def test_audit_round_trip(self, store: Pieces, clock: MovedClock) -> None:
        """Every field comes back, in order and in pages."""
        entries = audit_entries(clock(), 5)
        await gives(store.audit.last(), None, "an empty audit log has no last entry")
        await gives(store.audit.list(limit=9), [], "an empty audit log has no entries")
        await gives(store.audit.append([]), 0, "appending nothing is nothing")
        await store.audit.append(entries[:2])
        await store.audit.append(entries[2:])
        await gives(store.audit.last(), entries[4], "last is the newest entry")
        await gives(store.audit.list(limit=9), entries, "entries come back exactly as they were, in their order")
        await gives(store.audit.list(after=1, limit=2), entries[1:3], "a page begins behind 'after' and has 'limit'")
        await gives(store.audit.list(after=5, limit=9), [], "behind the last entry there is none")

    async def test_audit_has_one_chain(self, store: Pieces, clock: MovedClock) -> None:
        """What does not follow on the last entry is refused whole: a second first, a gap, a repetition."""
        entries = audit_entries(clock(), 6)
        await store.audit.append(entries[:3])
        for wrong in (entries[:1], entries[2:4], entries[4:]):
            rule = "an entry that does not follow on the last one is RecordConflict"
            await refused(store.audit.append(wrong), RecordConflict, rule)
        await gives(store.audit.list(limit=9), entries[:3], "a refused append changes nothing")
        await store.audit.append(entries[3:])
        await gives(store.audit.list(limit=9), entries, "after a refusal the right entries are taken")

    async def test_audit_extended_by_many(self, store: Pieces, clock: MovedClock) -> None:
        """Fifty callers at once with the same place in the chain: one gets it."""
        tries = [audit_entries(clock(), 1) for _ in range(50)]
        results = await outcomes(store.audit.append(entries) for entries in tries)
        same(results.count(1), 1, "of many callers with one place in the chain one gets it")
        winner = tries[results.index(1)]
        await gives(store.audit.list(limit=99), winner, "the one that was told so is the one that is kept")

    async def test_audit_outlives_its_gateway(self, store: Pieces, clock: MovedClock) -> None:
        """Removing a gateway removes no entry about it."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        entries = audit_entries(clock(), 2, gateway_id=gateway.id)
        await store.audit.append(entries)
        await store.gateways.delete(gateway.id)
        await store.purge()
        await gives(store.audit.list(limit=9), entries, "the audit log stays when its gateway goes")

    async def test_audit_is_removed_from_its_beginning(self, store: Pieces, clock: MovedClock) -> None:
        """The oldest go, the last stays whatever is asked, and the chain goes on behind it."""
        entries = audit_entries(clock(), 8)
        await gives(store.audit.purge(through=9), 0, "an empty audit log has nothing to remove")
        await store.audit.append(entries[:6])
        await gives(store.audit.purge(through=2), 2, "purge says how many it removed")
        await gives(store.audit.purge(through=2), 0, "what is gone is not removed again")
        await gives(store.audit.list(limit=9), entries[2:6], "purge removes up to 'through' and nothing else")
        await gives(store.audit.list(after=1, limit=2), entries[2:4], "a page that begins in what is gone has 'limit'")
        await gives(
            store.audit.list(after=3, limit=2), entries[3:5], "'after' is a number, also when the oldest are gone"
        )
        await refused(store.audit.append(entries[4:5]), RecordConflict, "a number is used once, also after a purge")
        await store.audit.append(entries[6:7])
        await gives(store.audit.purge(through=99), 4, "purge removes all but the last")
        await gives(store.audit.last(), entries[6], "the last entry is never removed")
        await gives(store.audit.purge(through=99), 0, "the last entry is never removed")
        await store.audit.append(entries[7:])
        await gives(store.audit.list(limit=9), entries[6:], "after a purge the chain goes on behind the last entry")


# The rules of a record store's history of flows.


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

    async def test_flow_that_has_only_begun(self, store: Pieces, clock: MovedClock) -> None:
        """It is on a sheet with others, and looks like any other flow to every process."""
        flows = [sample_flow(clock())[:3] for _ in range(14)]
        for one, other in zip(flows[::2], flows[1::2], strict=True):
            await store.flows.append([*one, *other], life=LIFE)
        await gives(store.flow_documents.count(), 0, "what has only begun takes no document of its own")
        await gives(store.flows_elsewhere.count_pending(clock()), 14, "other processes count it as under way")
        await gives(store.flows.count_pending(flows[0][-1].at + SECOND), 0, "it is counted by its last step")
        await gives(store.flow_documents.count(), 0, "counting writes nothing")
        found = await store.flows_elsewhere.list(FlowQuery(outcome="pending"), limit=20)
        expected = sorted(map(summarize, flows), key=lambda flow: flow.flow_id, reverse=True)
        same(found, expected, "other processes list it")
        await gives(store.flow_documents.count(), 14, "whoever looks gives it its document")
        await gives(store.flows.count_pending(clock()), 14, "it is counted once")
        await gives(store.flows.get(flows[0][0].flow_id), tuple(flows[0]), "its steps come back exactly as they were")

    async def test_flow_that_goes_on(self, store: Pieces, clock: MovedClock) -> None:
        """In the process that began it, in another, before and after somebody looked."""
        for looked in (False, True):
            for goes_on in (store.flows, store.flows_elsewhere):
                steps = sample_flow(clock())
                await store.flows.append(steps[:2], life=LIFE)
                await store.flows.append(steps[2:3], life=LIFE)
                if looked:
                    await store.flows_elsewhere.ids(steps[0].flow_id, limit=1)
                await goes_on.append(steps[3:], life=LIFE)
                await gives(store.flows.count_pending(clock()), 0, "a flow that has ended is not under way")
                await gives(store.flows.get(steps[0].flow_id), tuple(steps), "a flow that goes on keeps its beginning")
                await gives(store.flows.list(EVERY, limit=1), [summarize(steps)], "it is listed whole")
                clock.advance(timedelta(minutes=1))

    async def test_flow_that_never_goes_on(self, store: Pieces, clock: MovedClock, advance: Advance) -> None:
        """It gets its document when it is late, and is kept as long as any other."""
        old, young = sample_flow(clock())[:3], sample_flow(clock() + timedelta(minutes=20))[:3]
        for steps in (old, young):
            await store.flows.append(steps, life=LIFE)
        await store.flows_elsewhere.settle(before=clock() + timedelta(minutes=10))
        await gives(store.flow_documents.count(), 1, "what is late gets its document, and nothing else")
        await advance(LIFE + 3 * SECOND)
        await gives(store.flows.list(EVERY, limit=9), [summarize(young)], "it is gone a life after its last step")

    async def test_flow_outlives_its_gateway(self, store: Pieces, clock: MovedClock) -> None:
        """It may be why the gateway was deleted."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        steps = sample_flow(clock(), gateway_id=gateway.id)
        await store.flows.append(steps, life=LIFE)
        await store.gateways.delete(gateway.id)
        await gives(store.flows.get(steps[0].flow_id), tuple(steps), "a deleted gateway's flows stay until purged")


# The rules of a record store's small kept values: keys made once, one-time links, leases.


LEASE = timedelta(seconds=30)
NAME = "lease:refresh/ada@example.com '%_ \u00fc"


@pytest.mark.asyncio
class KeptRules(OpenedPieces):
    """The first writer wins until the value expires."""

    async def test_kept_first_writer_wins(self, store: Pieces) -> None:
        """Every later writer learns what stands."""
        await gives(store.kept.get(NAME), None, "an absent kept value is None")
        await gives(store.kept.put(NAME, "first"), "first", "put returns the value that stands: its own")
        await gives(store.kept.put(NAME, "second"), "first", "put returns the value that stands: the first")
        await gives(store.kept.get(NAME), "first", "a second put changes nothing")
        await gives(store.kept.get(NAME.upper()), None, "names differ by case")

    async def test_kept_long_values(self, store: Pieces) -> None:
        """Some thousand characters of any script, or none, are a value."""
        for name, value in {"long": "\u65e5x" * 2000, "empty": "", "odd": "a'b\"c\\%{}\n"}.items():
            await store.kept.put(name, value)
            await gives(store.kept.get(name), value, "a kept value comes back as it was")

    async def test_kept_taken_once(self, store: Pieces) -> None:
        """Taking removes; the name is then free."""
        await store.kept.put(NAME, "value")
        await gives(store.kept.take(NAME), "value", "take returns the value")
        await gives(store.kept.take(NAME), None, "a value is taken once")
        await gives(store.kept.get(NAME), None, "take removes the value")
        await gives(store.kept.put(NAME, "next"), "next", "after take the name is free")

    async def test_kept_taken_only_if_it_is_that(self, store: Pieces) -> None:
        """With ``value``, take compares first."""
        await store.kept.put(NAME, "mine")
        await gives(store.kept.take(NAME, value="yours"), None, "take(value=...) takes only that value")
        await gives(store.kept.get(NAME), "mine", "a refused take changes nothing")
        await gives(store.kept.take(NAME, value="mine"), "mine", "take(value=...) takes that value")

    async def test_kept_replaced_only_if_it_is_that(self, store: Pieces, clock: MovedClock, advance: Advance) -> None:
        """Also its end is the new value's; what has expired is nothing to replace."""
        await gives(store.kept.replace(NAME, "new", replacing="old"), False, "where nothing stands nothing is replaced")
        await gives(store.kept.get(NAME), None, "a refused replace changes nothing")
        await store.kept.put(NAME, "old", expires_at=clock() + LEASE)
        await gives(store.kept.replace(NAME, "new", replacing="OLD"), False, "only the value that is named is replaced")
        await gives(store.kept.get(NAME), "old", "a refused replace changes nothing")
        replaced = store.kept.replace(NAME, "new", replacing="old", expires_at=clock() + 2 * LEASE)
        await gives(replaced, True, "the value that is named is replaced")
        await advance(LEASE)
        await gives(store.kept.get(NAME), "new", "the new value stands until its own expires_at")
        await advance(LEASE)
        await gives(store.kept.replace(NAME, "newer", replacing="new"), False, "an expired value cannot be replaced")
        await gives(store.kept.get(NAME), None, "an expired value stays gone")

    async def test_kept_until_it_expires(self, store: Pieces, clock: MovedClock, advance: Advance) -> None:
        """At ``expires_at`` the value is gone for get, take and put."""
        for name in ("get", "take", "put"):
            await store.kept.put(name, "old", expires_at=clock() + LEASE)
        await advance(LEASE - timedelta(seconds=1))
        await gives(store.kept.get("get"), "old", "a kept value stands until its expires_at")
        await gives(store.kept.put("put", "early"), "old", "a kept value stands until its expires_at")
        await advance(timedelta(seconds=1))
        await gives(store.kept.get("get"), None, "at its expires_at a kept value is gone")
        await gives(store.kept.take("take"), None, "an expired value cannot be taken")
        await gives(store.kept.put("put", "new"), "new", "an expired value gives way to the next writer")
        await advance(timedelta(days=400))
        await gives(store.kept.get("put"), "new", "a value without expires_at lasts, whatever stood there before")

    async def test_kept_as_a_lease(self, store: Pieces, clock: MovedClock, advance: Advance) -> None:
        """A holder that comes back late cannot give up the lease of the next one."""
        await store.kept.put(NAME, "worker-1", expires_at=clock() + LEASE)
        standing = await store.kept.put(NAME, "worker-2", expires_at=clock() + LEASE)
        same(standing, "worker-1", "a lease has one holder")
        await advance(LEASE)
        standing = await store.kept.put(NAME, "worker-2", expires_at=clock() + LEASE)
        same(standing, "worker-2", "an expired lease goes to the next")
        await gives(store.kept.take(NAME, value="worker-1"), None, "a late holder cannot give up another's lease")
        await gives(store.kept.get(NAME), "worker-2", "a late holder cannot give up another's lease")
        await gives(store.kept.take(NAME, value="worker-2"), "worker-2", "the holder gives up its own lease")

    async def test_kept_listed_by_prefix(self, store: Pieces, clock: MovedClock, advance: Advance) -> None:
        """All that stand and begin so, and nothing else, whatever characters there are."""
        for name in ("list:a", "list:b%", "LIST:c", "list_:d", "lis", "list[x]*:e", "alist:f"):
            await store.kept.put(name, f"value of {name}")
        await store.kept.put("list:short", "gone soon", expires_at=clock() + LEASE)
        await store.kept.put("list:long", "stays", expires_at=clock() + 2 * LEASE)
        await advance(LEASE)
        expected = {"list:a": "value of list:a", "list:b%": "value of list:b%", "list:long": "stays"}
        await gives(store.kept.list("list:"), expected, "list gives what begins with the prefix and has not expired")
        await gives(store.kept.list("list[x]*"), {"list[x]*:e": "value of list[x]*:e"}, "a prefix is no pattern")
        await gives(store.kept.list("list%"), {}, "a prefix is no pattern")
        await store.kept.take("list:a")
        await gives(store.kept.list("list:a"), {}, "what was taken is not listed")

    async def test_kept_put_by_many(self, store: Pieces) -> None:
        """Fifty writers at once agree on one value."""
        results = await outcomes(store.kept.put(NAME, f"writer-{number}") for number in range(50))
        holds(len(set(map(str, results))) == 1, "all writers are told the same value", found(results))
        await gives(store.kept.get(NAME), results[0], "the value all were told is the one that stands")

    async def test_kept_replaced_by_many(self, store: Pieces) -> None:
        """Fifty writers at once over one value: one succeeds, and its value stands."""
        await store.kept.put(NAME, "old")
        writers = [store.kept.replace(NAME, f"writer-{number}", replacing="old") for number in range(50)]
        results = await outcomes(writers)
        holds(results.count(True) == 1 and results.count(False) == 49, "of many writers one succeeds", found(results))
        await gives(store.kept.get(NAME), f"writer-{results.index(True)}", "the value of the one that succeeded stands")

    async def test_kept_taken_by_many(self, store: Pieces, clock: MovedClock) -> None:
        """Fifty callers at once: one gets it. A one-time link works one time."""
        await store.kept.put(NAME, "link", expires_at=clock() + LEASE)
        results = await outcomes(store.kept.take(NAME) for _ in range(50))
        seen = [result for result in results if result is not None]
        same(seen, ["link"], "of many callers one takes the value")


# The rules of a record store's tools.


ADA, BOB = "ada@example.com", "bob@example.com"


async def _gateway(store: Pieces, clock: MovedClock) -> Gateway:
    gateway = samples.gateway(clock())
    await store.gateways.put(gateway)
    return gateway


@pytest.mark.asyncio
class ToolRules(OpenedPieces):
    """Each user sees the tools that the server showed to that user."""

    async def test_tool_round_trip(self, store: Pieces, clock: MovedClock) -> None:
        """Definitions come back as they were, by name, with the injected clock's time."""
        gateway = await _gateway(store, clock)
        definitions = samples.tools("search", "add", "who_am_i")
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes, ToolChanges(created=3, updated=0, removed=0), "replace counts what it created")
        expected = [
            StoredTool(gateway.id, ADA, name, definitions[name], clock(), clock())
            for name in ("add", "search", "who_am_i")
        ]
        await gives(store.tools.list(gateway.id, ADA), expected, "tools are listed by name, exactly as they were put")

    async def test_tool_text_is_kept_as_it_is(self, store: Pieces, clock: MovedClock) -> None:
        """A server may send any JSON text: other scripts, NUL, a lone surrogate; names differ by case."""
        gateway = await _gateway(store, clock)
        odd = "\u00fc\u65e5\U0001f600 'q' \"d\" \\ %s \u0000 \ud800"
        definitions = {name: {"name": name, "description": odd, odd: [odd]} for name in ("Add", "add", "\u00c4dd 's")}
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes.created, 3, "names of tools differ by case")
        seen = {tool.name: tool.definition for tool in await store.tools.list(gateway.id, ADA)}
        same(seen, definitions, "any JSON text in a definition comes back as it was")

    async def test_tools_by_user_and_gateway(self, store: Pieces, clock: MovedClock) -> None:
        """One user's tools are never shown to another, nor one gateway's at another."""
        here, there = await _gateway(store, clock), await _gateway(store, clock)
        await store.tools.replace(here.id, ADA, samples.tools("add"))
        await store.tools.replace(here.id, BOB, samples.tools("search"))
        await store.tools.replace(there.id, ADA, samples.tools("fetch"))
        await store.tools.replace(there.id, ADA, {})
        seen = [[tool.name for tool in await store.tools.list(here.id, user)] for user in (ADA, BOB)]
        same(seen, [["add"], ["search"]], "tools are kept by user and gateway")
        await gives(store.tools.list(there.id, ADA), [], "replacing by nothing removes them all")
        await gives(store.tools.list(there.id, BOB), [], "who has no tools gets an empty list")

    async def test_tool_changes(self, store: Pieces, clock: MovedClock) -> None:
        """New ones are created, differing ones updated, missing ones removed, equal ones left alone."""
        gateway = await _gateway(store, clock)
        began = clock()
        await store.tools.replace(gateway.id, ADA, samples.tools("equal", "differs", "goes"))
        clock.advance(timedelta(hours=1))
        definitions = samples.tools("equal", "differs", "new")
        definitions["differs"] = {**definitions["differs"], "description": "another"}
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes, ToolChanges(created=1, updated=1, removed=1), "replace counts created, updated and removed")
        seen = {tool.name: (tool.created_at, tool.updated_at) for tool in await store.tools.list(gateway.id, ADA)}
        expected = {"differs": (began, clock()), "equal": (began, began), "new": (clock(), clock())}
        same(seen, expected, "an equal definition is left alone, a differing one keeps its created_at")
        again = await store.tools.replace(gateway.id, ADA, definitions)
        same(again, ToolChanges(0, 0, 0), "replacing by the same definitions changes nothing")

    async def test_tools_replaced_by_many(self, store: Pieces, clock: MovedClock) -> None:
        """Ten fetches at once: one of the lists stands in the end, never a mixture."""
        gateway = await _gateway(store, clock)
        lists = [samples.tools(*(f"tool_{number}_{part}" for part in "abc")) for number in range(10)]
        results = await outcomes(store.tools.replace(gateway.id, ADA, definitions) for definitions in lists)
        strange = [result for result in results if isinstance(result, BaseException)]
        holds(not strange, "replacing tools at once disturbs nobody", repr(strange[:1]))
        counted = sum(result.created - result.removed for result in results if isinstance(result, ToolChanges))
        same(counted, 3, "each replace counts against the list that it really replaced")
        seen = [tool.name for tool in await store.tools.list(gateway.id, ADA)]
        holds(seen in [sorted(definitions) for definitions in lists], "replace is atomic: no mixture", repr(seen))

    async def test_a_thousand_tools(self, store: Pieces, clock: MovedClock) -> None:
        """As many as the gateway accepts from one server."""
        gateway = await _gateway(store, clock)
        definitions = samples.tools(*(f"tool_{number:04}" for number in range(1000)))
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes.created, 1000, "a thousand tools are one list")
        seen = [tool.name for tool in await store.tools.list(gateway.id, ADA)]
        same(seen, sorted(definitions), "a thousand tools are one list, by name")
