"""The outbox: delivered once by several workers, in spite of dead ones, and given up in the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from latchpin.model import Document, index_time
from latchpin_attention.outbox import AT_ONCE, Entry, Moot, Outbox, Undelivered, outbox_spec

from tests.support.gateway_in_process import InnerGateway

pytestmark = pytest.mark.needs("latchpin_attention", "latchpin_demo", "latchpin_memory_store")

PAUSES = (timedelta(minutes=1), timedelta(hours=1))
CLAIM = timedelta(minutes=5)
SPEC = outbox_spec("notify_tests")


def outbox_on(gateway: InnerGateway) -> Outbox:
    context = gateway.application.services.context
    return Outbox(
        context.collection(SPEC),
        gateway.clock,
        pauses=PAUSES,
        claimed_for=CLAIM,
        kept_for=timedelta(days=60),
    )


@pytest.fixture
def outbox(gateway: InnerGateway) -> Outbox:
    gateway.clock.stop()
    return outbox_on(gateway)


async def fail(_: Entry) -> None:
    raise Undelivered("it is down")


async def take(_: Entry) -> None:
    return


async def test_what_is_delivered_is_not_put_again(outbox: Outbox, gateway):
    assert await outbox.put("one", {"a": 1})
    assert not await outbox.put("one", {"a": 2})
    seen: list[Entry] = []

    async def deliver(entry: Entry) -> None:
        seen.append(entry)

    assert await outbox.work_off(deliver) == 1
    assert [(each.id, each.body, each.tries) for each in seen] == [("one", {"a": 1}, 1)]
    assert not await outbox.put("one", {})
    gateway.clock.advance(days=59)
    assert await outbox.work_off(deliver) == 0
    assert not await outbox.put("one", {})
    gateway.clock.advance(days=2)
    assert await outbox.put("one", {})


async def test_what_fails_is_tried_at_growing_distances_and_dies(outbox: Outbox, gateway):
    await outbox.put("one", {})
    for pause in (*PAUSES, timedelta(0)):
        assert await outbox.count("waiting") == 1
        assert await outbox.work_off(fail) == 0
        gateway.clock.advance(seconds=0.8 * pause.total_seconds())
        assert await outbox.work_off(take) == 0, "it is not due yet"
        gateway.clock.advance(seconds=0.4 * pause.total_seconds())
    (entry,) = await outbox.list("dead")
    assert (entry.tries, entry.reason, entry.due_at) == (3, "it is down", None)
    assert not await outbox.revive("two")
    assert await outbox.revive("one")
    assert not await outbox.revive("one")
    assert await outbox.work_off(take) == 1
    assert await outbox.list("dead") == []


async def test_a_receiver_says_how_long_it_wants_to_be_left_alone(outbox: Outbox, gateway):
    async def wait(_: Entry) -> None:
        raise Undelivered("busy", wait=timedelta(minutes=30))

    await outbox.put("one", {})
    await outbox.work_off(wait)
    gateway.clock.advance(minutes=29)
    assert await outbox.work_off(take) == 0
    gateway.clock.advance(minutes=2)
    assert await outbox.work_off(take) == 1


async def test_what_nothing_helps_dies_at_once_and_what_is_moot_is_not_listed(outbox: Outbox):
    async def deliver(entry: Entry) -> None:
        if entry.id == "moot":
            raise Moot
        raise Undelivered("410", final=True)

    await outbox.put("moot", {})
    await outbox.put("gone", {})
    assert await outbox.work_off(deliver) == 0
    assert [entry.id for entry in await outbox.list("dead")] == ["gone"]
    assert await outbox.count("waiting") == 0
    found = await outbox.get("moot")
    assert found is not None
    assert found.state == "moot"


async def test_one_that_nobody_can_deliver_holds_up_no_other(outbox: Outbox):
    async def deliver(entry: Entry) -> None:
        if entry.id == "bad":
            raise ZeroDivisionError

    for name in ("a", "bad", "z"):
        await outbox.put(name, {})
    assert await outbox.work_off(deliver) == 2
    (entry,) = await outbox.list("waiting")
    assert (entry.id, entry.reason) == ("bad", "ZeroDivisionError")


async def test_of_two_workers_one_delivers(outbox: Outbox, gateway):
    two, seen = outbox_on(gateway), []

    async def deliver(entry: Entry) -> None:
        await asyncio.sleep(0)
        seen.append(entry.id)

    for number in range(50):
        await outbox.put(f"entry-{number:02}", {})
    counts = await asyncio.gather(outbox.work_off(deliver), two.work_off(deliver))
    assert sum(counts) == 50
    assert sorted(seen) == sorted(set(seen))


async def test_what_a_dead_worker_had_claimed_comes_due_again(outbox: Outbox, gateway):
    begun = asyncio.Event()

    async def hang(_: Entry) -> None:
        begun.set()
        await asyncio.Event().wait()

    await outbox.put("one", {})
    dying = asyncio.create_task(outbox.work_off(hang))
    await begun.wait()
    dying.cancel()  # nothing is noted of it, as where a process is killed
    await asyncio.wait([dying])
    other = outbox_on(gateway)
    assert await other.work_off(take) == 0, "it may be at it still"
    gateway.clock.advance(seconds=CLAIM.total_seconds() + 1)
    assert await other.work_off(take) == 1


async def test_who_was_too_slow_writes_nothing_over_what_another_did(outbox: Outbox, gateway):
    other = outbox_on(gateway)

    async def slow(_: Entry) -> None:
        gateway.clock.advance(seconds=CLAIM.total_seconds() + 1)
        assert await other.work_off(take) == 1
        raise Undelivered("it was late")

    await outbox.put("one", {})
    await outbox.work_off(slow)
    found = await outbox.get("one")
    assert found is not None
    assert (found.state, found.tries) == ("done", 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"body": [], "state": "waiting", "tries": 0, "reason": "", "at": "2026-01-01T00:00:00+00:00", "due_at": None},
        {"body": {}, "state": "odd", "tries": 0, "reason": "", "at": "2026-01-01T00:00:00+00:00", "due_at": None},
        {"body": {}, "state": "waiting", "tries": "x", "reason": "", "at": "2026-01-01T00:00:00+00:00", "due_at": None},
        {"body": {}, "state": "waiting", "tries": 0, "reason": "", "at": "yesterday", "due_at": None},
        {"body": {}, "state": "waiting", "tries": 0, "reason": "", "at": 5, "due_at": None},
    ],
    ids=["empty", "no object", "another state", "no number", "no time", "a number for a time"],
)
async def test_what_cannot_be_read_holds_up_no_other_and_stays_as_it_is(outbox: Outbox, gateway, caplog, body):
    documents = gateway.application.services.context.collection(SPEC)
    due = index_time(gateway.clock())
    for number in range(AT_ONCE):  # each of the hands meets one
        await documents.put(
            Document(f"a mangled {number}", body, {"state": "dead" if number else "waiting", "due": due})
        )
    await outbox.put("one", {})
    assert [each.id for each in await outbox.list("waiting")] == ["one"]
    assert await outbox.list("dead") == []
    assert await outbox.get("a mangled 0") is None
    assert not await outbox.revive("a mangled 0")
    assert await outbox.work_off(take) == 1
    assert "The entry a mangled 0 of an outbox cannot be read" in caplog.text
    caplog.clear()
    assert await outbox.work_off(take) == 0
    assert caplog.text == "", "it is told once"
    kept = await documents.get("a mangled 0")
    assert kept is not None
    assert kept.body == body
