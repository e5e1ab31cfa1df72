"""Old entries are removed in time, one worker an hour does it, and the chain is proven from what is left."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.model import Fact
from latchpin_audit.plugin import latchpin_background_tasks, trim_in_turn
from latchpin_audit.reading import read, verify
from latchpin_audit.retention import trim
from latchpin_audit.settings import AuditSettings
from latchpin_testing import SuiteContext
from latchpin_testing.sealing import SuiteSigner

from tests.audit.test_trail import cipher, clock, log_on, store

__all__ = ["cipher", "clock", "store"]

pytestmark = pytest.mark.needs("latchpin_memory_store")
SIGNER = SuiteSigner()
DAY = timedelta(days=1)


async def numbers(store):
    return [entry.number async for entry in read(store.audit)]


@pytest.fixture
async def trail(store, cipher, clock):
    """Ten entries, one a day."""
    found = log_on(store, cipher)
    for _ in range(10):
        await found.keep(Fact("gateway.changed", clock(), "ann@example.com"))
        clock.advance(DAY)
    return found


async def test_what_is_older_goes_and_the_rest_is_proven(store, trail, clock):
    assert await trim(trail, before=clock() - 4 * DAY, now=clock()) == 6
    assert await numbers(store) == [7, 8, 9, 10, 11]
    last = await store.audit.last()
    assert (last.event, last.actor, last.facts) == ("audit.trimmed", "gateway", {"through": "6"})
    verdict = await verify(store.audit, SIGNER)
    assert (verdict.entries, verdict.begins, verdict.broken) == (5, 7, None)
    assert await trim(trail, before=clock() - 4 * DAY, now=clock()) == 0
    assert await numbers(store) == [7, 8, 9, 10, 11]
    assert await trail.keep(Fact("gateway.removed", clock(), "ann@example.com"))
    assert (await verify(store.audit, SIGNER)).broken is None


async def test_where_all_is_old_the_entry_that_says_so_is_left(store, trail, clock):
    clock.advance(100 * DAY)
    assert await trim(trail, before=clock() - DAY, now=clock()) == 10
    assert await numbers(store) == [11]
    assert (await verify(store.audit, SIGNER)).broken is None


async def test_more_may_not_be_missing_than_an_entry_says(store, trail, clock):
    await trim(trail, before=clock() - 4 * DAY, now=clock())
    await store.audit.purge(through=7)
    verdict = await verify(store.audit, SIGNER)
    assert verdict.broken == "entry 1: is missing; entry 8 follows, and no entry says why"
    held = await store.documents.get(f"{11:020}")
    await store.documents.put(replace(held, body={**held.body, "facts": {"through": "7"}}))  # without the key
    assert "entry 11: was changed" in (await verify(store.audit, SIGNER)).broken


async def test_a_log_that_cannot_be_written_loses_nothing(store, trail, clock):
    async def away(_entries):
        raise BackendUnavailable("the store is away")

    store.audit.append = away
    assert await trim(trail, before=clock(), now=clock()) == 0
    assert len(await numbers(store)) == 10


async def test_one_worker_an_hour_does_it(store, trail, clock):
    context = SimpleNamespace(kept=store.kept, clock=clock)
    await trim_in_turn(trail, context, days=5)
    assert (await numbers(store))[0] == 6
    await trim_in_turn(trail, context, days=2)
    assert (await numbers(store))[0] == 6
    clock.advance(timedelta(hours=1))
    await trim_in_turn(trail, context, days=2)
    assert (await numbers(store))[0] > 6
    assert (await verify(store.audit, SIGNER)).broken is None


@pytest.mark.parametrize("values", [{"audit_retention_days": 0}, {"audit_retention_days": 5, "audit_log": False}])
async def test_without_an_end_there_is_nothing_to_do(values):
    [task] = latchpin_background_tasks()
    async with task.open(AuditSettings(**values), SuiteContext()) as opened:
        assert opened is None
