"""Flows to be kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from latchpin.contracts import Clock, RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import flow_steps as told
from latchpin.records.kept import KeyValues
from latchpin.records.tools import ToolRecords
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin_audit.chain import build_chain, check_chain
from latchpin_audit.entry import AuditNote
from latchpin_audit.records import AUDIT, AuditRecords
from latchpin_flows.records import FLOWS, FlowRecords
from latchpin_flows.steps import FlowStep
from latchpin_testing import MovedClock, samples
from latchpin_testing.opening import AnyOffer, AnySettings, OpenedBackend
from latchpin_testing.processes import PROCESSES, Meet, ProcessTeam, WithProcesses
from latchpin_testing.rules import found, gives, holds, same
from latchpin_testing.samples import new_id
from latchpin_testing.sealing import SuiteSigner


def sample_flow(
    now: datetime,
    *,
    gateway_id: str | None = None,
    app_user_email: str = "ada@example.com",
    issuer: str | None = "https://as.example.com/tenant/1",
    failed: bool = False,
) -> list[FlowStep]:
    """The steps of a completed flow that began ``now``, one a second, by two workers; ``failed`` adds a replay."""
    scopes = ("mcp:read", "openid")
    steps: list[told.StepFacts] = [
        told.Begun(via="session"),
        told.Stored("Redis", 300, issuer, 0.125, 0.25),
        told.Redirected("as.example.com", "client-7", "https://gateway.example.com/oauth/callback", scopes, "S256"),
        told.Returned(answer="code", away_seconds=12.5, issued_by="worker-1"),
        told.Verified(key_id="k1", signed_in=True),
        told.Consumed(store="Redis", fits=True),
        told.Exchanged("as.example.com", "client_secret_basic", 3600, True, scopes),
        told.TokensSealed(store="database", replaced=False),
        told.ToolsFetched(count=3, created=2, updated=1, removed=0),
    ]
    if failed:
        steps.append(told.Failed("callback", "state-used", 400, "it was used before", False, None, "worker-1"))
    names = (new_id(), new_id() if gateway_id is None else gateway_id, app_user_email)
    return [
        FlowStep(
            *names,
            now + timedelta(seconds=number),
            0.001 * number,
            f"worker-{1 + number // 3}",
            step.step,
            {name: getattr(step, name) for name in step.__slots__},
        )
        for number, step in enumerate(steps)
    ]


# Opened collections, and the rules about those that processes share.


# What the core keeps, over a store under test.


class Pieces:
    """A record store, and what the core keeps in it."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self.gateways = store.gateways
        self.purge = store.purge
        self.kept = KeyValues(store)
        self.tools = ToolRecords(store, clock)
        self.flows = FlowRecords(store.collection)
        self.flows_elsewhere = FlowRecords(store.collection)
        self.flow_documents = store.collection(FLOWS)
        self.audit = AuditRecords(store.collection(AUDIT))
        self.documents = store.collection(AUDIT)


def pieces_of(records: RecordStore, clock: Clock) -> dict[str, object]:
    """The pieces as ``latchpin.services.Services`` names them."""
    pieces = Pieces(records, clock)
    return {
        "kept": pieces.kept,
        "leases": Leases(pieces.kept, clock),
        "pauses": Pauses(pieces.kept, clock),
        "tools": pieces.tools,
    }


class OpenedPieces(OpenedBackend):
    """Gives each test the pieces as its store."""

    @pytest_asyncio.fixture
    async def store(self, offer, settings, context, clock) -> AsyncIterator[Pieces]:
        async with offer.open(settings, context) as store:
            yield Pieces(store, clock)


# The same pieces used by four processes at once.


BATCH = 40
NOTES = 10


@pytest.mark.asyncio
class SharedPieces(WithProcesses):
    """For stores that several processes share."""

    async def test_four_processes_keep_and_take(
        self, store: Pieces, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """All processes agree on each kept value, and one of them takes it."""
        names = [f"name-{number}" for number in range(BATCH)]
        results = await team.run(keep_and_take, [names] * PROCESSES, offer=offer, settings=settings, now=clock())
        for index, name in enumerate(names):
            standing = {kept[index] for kept, _ in results}
            holds(len(standing) == 1, f"all processes agree on the kept value {name}", found(standing))
            taken = [took[index] for _, took in results if took[index] is not None]
            same(taken, list(standing), f"one process takes the kept value {name}")
            await gives(store.kept.get(name), None, "what another process took is gone here")

    async def test_four_processes_append_to_the_same_flows(
        self, store: Pieces, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """Each has another part of every flow: all parts are there in the end."""
        flows = [sample_flow(clock(), failed=True) for _ in range(BATCH)]
        works = [[flow[number::PROCESSES] for flow in flows] for number in range(PROCESSES)]
        works = [work[::-1] if number % 2 else work for number, work in enumerate(works)]
        await team.run(append_all, works, offer=offer, settings=settings, now=clock())
        for flow in flows:
            await gives(store.flows.get(flow[0].flow_id), tuple(flow), f"{PROCESSES} processes lose no step of a flow")

    async def test_four_processes_extend_the_audit_log(
        self, store: Pieces, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """Each writes ten notes, behind whatever stands there: one unbroken chain has them all."""
        names = [f"process-{number}" for number in range(PROCESSES)]
        await team.run(record_often, names, offer=offer, settings=settings, now=clock())
        entries = await store.audit.list(limit=PROCESSES * NOTES + 1)
        same(len(entries), PROCESSES * NOTES, f"{PROCESSES} processes with {NOTES} notes each leave that many entries")
        check_chain(entries, SuiteSigner())
        written = Counter(entry.facts["by"] for entry in entries)
        same(written, dict.fromkeys(names, NOTES), "each process's notes are there")


async def keep_and_take(store: RecordStore, names: Sequence[str], meet: Meet) -> tuple[list[str], list[str | None]]:
    """Put a value of our own under each name, then take whatever stands."""
    mine = samples.new_id()
    meet()
    kept = await asyncio.gather(*(KeyValues(store).put(name, mine) for name in names))
    meet()
    return kept, await asyncio.gather(*(KeyValues(store).take(name) for name in names))


async def append_all(store: RecordStore, parts: Sequence[Sequence[FlowStep]], meet: Meet) -> None:
    """Append some flows' parts together, then the others'."""
    for begin in range(0, len(parts), 5):
        meet()
        steps = [step for part in parts[begin : begin + 5] for step in part]
        await FlowRecords(store.collection).append(steps, life=timedelta(hours=24))


async def record_often(store: RecordStore, name: str, meet: Meet) -> None:
    """Extend the audit log, one note after the other."""
    meet()
    records, last = AuditRecords(store.collection(AUDIT)), None
    for _ in range(NOTES):
        note = AuditNote(datetime.now(UTC), "token.refreshed", "gateway", "", "", {"by": name})
        while True:
            entries = build_chain(last, [note], SuiteSigner())
            try:
                await records.append(entries)
            except RecordConflict:
                last = await records.last()
                continue
            last = entries[0]
            break
