"""The trail writes what was done, once, behind whatever other workers wrote; people can be forgotten."""

import asyncio
import logging

import pytest
from latchpin.activity.activity import Activity
from latchpin.errors import BackendUnavailable
from latchpin.model import CLIENT_ITSELF
from latchpin_audit.chain import check_chain
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import GATEWAY, Pseudonyms
from latchpin_audit.reading import read, verify
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock
from latchpin_testing.sealing import SuiteCipher, SuiteSigner

from tests.records.stores import Pieces

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def store(clock):
    return Pieces(MemoryRecordStore(clock), clock)


@pytest.fixture
def cipher():
    return SuiteCipher()


@pytest.fixture
def pseudonyms(store, cipher):
    return Pseudonyms(store.kept, cipher)


async def no_pause(_seconds):
    await asyncio.sleep(0)


def log_on(store, cipher):
    return AuditLog(store.audit, SuiteSigner(), Pseudonyms(store.kept, cipher), pause=no_pause)


def trail_on(store, cipher, clock):
    """What a gateway tells, with the log as its only reader."""
    return Activity(clock, recorders={"audit log": log_on(store, cipher)})


async def test_an_entry_names_nobody_and_holds_what_was_said(store, cipher, clock, pseudonyms):
    trail = trail_on(store, cipher, clock)
    await trail.tell("token.disconnected", actor=ANN, subject=BOB, gateway_id="g", flow_id="left")
    await trail.tell("token.refreshed", actor=CLIENT_ITSELF, subject=ANN, gateway_id="g")
    first, second = [entry async for entry in read(store.audit)]
    assert (first.event, first.gateway_id, first.facts, first.at) == (
        "token.disconnected",
        "g",
        {"flow_id": "left"},
        clock(),
    )
    assert (first.actor, second.subject) == (await pseudonyms.of(ANN),) * 2
    assert (first.subject, second.actor) == (await pseudonyms.of(BOB), GATEWAY)
    assert "example.com" not in str(first)
    assert await pseudonyms.name_of(first.actor) == ANN
    assert await pseudonyms.name_of(GATEWAY) is None


async def test_workers_that_write_at_once_leave_one_chain(store, cipher, clock):
    trails = [trail_on(store, cipher, clock) for _ in range(4)]
    await asyncio.gather(
        *(trail.tell("token.refreshed", actor=CLIENT_ITSELF, gateway_id=str(n)) for n in range(25) for trail in trails)
    )
    entries = [entry async for entry in read(store.audit)]
    assert len(entries) == 100
    check_chain(entries, SuiteSigner())


async def test_a_note_is_recorded_once_where_another_worker_writes_within_its_batch(store, cipher, clock, monkeypatch):
    mine, other = trail_on(store, cipher, clock), trail_on(store, cipher, clock)
    put_all = store.audit._documents.put_all
    theirs = iter(["theirs"])

    async def put_all_with_another(documents, *, in_order):
        assert in_order
        for name in theirs:
            kept = await put_all(documents[:2], in_order=True)
            await other.tell("token.refreshed", actor=CLIENT_ITSELF, gateway_id=name)
            return [*kept, *await put_all(documents[2:], in_order=True)]
        return await put_all(documents, in_order=True)

    monkeypatch.setattr(store.audit._documents, "put_all", put_all_with_another)
    names = [str(n) for n in range(5)]
    await asyncio.gather(*(mine.tell("token.refreshed", actor=CLIENT_ITSELF, gateway_id=n) for n in names))
    await mine.tell("token.refreshed", actor=CLIENT_ITSELF, gateway_id="5")
    entries = [entry async for entry in read(store.audit)]
    assert [entry.gateway_id for entry in entries] == ["0", "1", "theirs", "2", "3", "4", "5"]
    check_chain(entries, SuiteSigner())


async def test_a_forgotten_person_is_found_no_more_and_the_chain_holds(store, cipher, clock, pseudonyms):
    trail = trail_on(store, cipher, clock)
    await trail.tell("gateway.created", actor=ANN)
    old = await pseudonyms.of(ANN)
    assert await pseudonyms.forget(ANN) is True
    assert await pseudonyms.forget(ANN) is False
    assert (await pseudonyms.name_of(old), await pseudonyms.find(ANN)) == (None, None)
    await trail.tell("gateway.changed", actor=ANN, revision=2, changed="name")
    new = (await store.audit.last()).actor
    assert new != old
    assert (await verify(store.audit, SuiteSigner())).entries == 2


async def test_a_noted_head_shows_that_the_end_was_cut_off(store, cipher, clock):
    trail = trail_on(store, cipher, clock)
    for _ in range(3):
        await trail.tell("gateway.changed", actor=ANN, revision=2, changed="name")
    verdict = await verify(store.audit, SuiteSigner())
    assert (verdict.entries, verdict.broken) == (3, None)
    assert (await verify(store.audit, SuiteSigner(), expect=verdict.head)).broken is None
    await store.documents.delete(f"{3:020}")
    assert (await verify(store.audit, SuiteSigner())).broken is None  # nothing in the log can tell
    cut = await verify(store.audit, SuiteSigner(), expect=verdict.head)
    assert cut.broken == "the entry 3 that was noted before is not in the log"


async def test_what_was_done_is_not_undone_because_its_record_fails(store, cipher, clock, caplog):
    async def away(_entries):
        raise BackendUnavailable("the store is away")

    store.audit.append = away
    with caplog.at_level(logging.ERROR, logger="latchpin.audit"):
        await trail_on(store, cipher, clock).tell("gateway.removed", actor=ANN, gateway_id="g")
    [line] = caplog.messages
    assert line == "The audit log lacks the entry 'gateway.removed' for gateway g: the store is away"


async def test_a_store_that_breaks_in_its_own_way_undoes_nothing_either(store, cipher, clock, caplog):
    async def broken(_entries):
        raise RuntimeError("a bug")

    store.audit.append = broken
    with caplog.at_level(logging.ERROR, logger="latchpin.audit"):
        await trail_on(store, cipher, clock).tell("gateway.removed", actor=ANN, gateway_id="g")
    assert "The audit log lacks the entry 'gateway.removed' for gateway g" in caplog.messages[0]


async def test_who_is_forgotten_while_an_entry_is_written_stays_forgotten(store, cipher, clock, pseudonyms):
    put = store.kept.put

    async def put_late(name, value, **options):
        if name.startswith("audit-name:"):
            assert await pseudonyms.forget(ANN)
        return await put(name, value, **options)

    store.kept.put = put_late
    await trail_on(store, cipher, clock).tell("token.refreshed", actor=CLIENT_ITSELF, subject=ANN)
    store.kept.put = put
    [entry] = [entry async for entry in read(store.audit)]
    assert await pseudonyms.name_of(entry.subject) is None
    assert await pseudonyms.find(ANN) is None


async def test_what_is_no_act_of_anybody_is_not_recorded(store, cipher, clock):
    await trail_on(store, cipher, clock).tell("tools.fetched", subject=ANN, gateway_id="g", count=3)
    assert await store.audit.last() is None
