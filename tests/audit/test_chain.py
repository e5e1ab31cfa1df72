"""The chain shows every change, gap and fork; and who has no key cannot extend it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from latchpin.errors import RecordConflict
from latchpin_audit.chain import ChainBroken, build_chain, check_chain
from latchpin_audit.entry import AuditNote
from latchpin_audit.reading import read, verify
from latchpin_audit.records import AUDIT, AuditRecords
from latchpin_memory_store.collections import MemoryCollection
from latchpin_testing import MovedClock
from latchpin_testing.sealing import SuiteSigner

NOW = datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC)
SIGNER = SuiteSigner()


def notes(count):
    return [
        AuditNote(NOW, "gateway.changed", "person-a", "", "0" * 32, {"revision": str(n), "b": "1"})
        for n in range(count)
    ]


@pytest.fixture
def chain():
    first = build_chain(None, notes(2), SIGNER)
    return [*first, *build_chain(first[-1], notes(3), SIGNER)]


def test_a_chain_that_nobody_touched_holds(chain):
    assert [entry.number for entry in chain] == [1, 2, 3, 4, 5]
    assert check_chain(chain, SIGNER) == chain[-1]
    assert check_chain(chain[2:], SIGNER, last=chain[1]) == chain[-1]
    assert check_chain([], SIGNER) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "person-b"},
        {"subject": "person-b"},
        {"event": "gateway.removed"},
        {"gateway_id": "1" * 32},
        {"at": NOW.replace(microsecond=8)},
        {"facts": {"revision": "2"}},
        {"signature": "00" * 32},
        {"signature": "not hexadecimal"},
    ],
    ids=str,
)
def test_a_changed_entry_is_named(chain, change):
    chain[2] = replace(chain[2], **change)
    with pytest.raises(ChainBroken, match=r"entry 3: was changed after it was written"):
        check_chain(chain, SIGNER)


def test_a_missing_a_doubled_and_a_moved_entry_are_named(chain):
    with pytest.raises(ChainBroken, match="entry 3: is missing; entry 4 follows"):
        check_chain([*chain[:2], *chain[3:]], SIGNER)
    with pytest.raises(ChainBroken, match="entry 1: is missing; entry 2 follows"):
        check_chain(chain[1:], SIGNER)
    with pytest.raises(ChainBroken, match="entry 3: is missing; entry 2 follows"):
        check_chain([*chain[:2], *chain[1:]], SIGNER)


def test_an_entry_out_of_another_chain_is_named(chain):
    other = build_chain(None, notes(3), SIGNER)
    other = [*other[:1], *build_chain(other[0], [replace(notes(1)[0], actor="person-b")], SIGNER)]
    spliced = [*other, *chain[2:]]
    with pytest.raises(ChainBroken, match="entry 3: does not follow on the entry before it"):
        check_chain(spliced, SIGNER)


def test_who_has_no_key_cannot_write_the_rest_anew(chain):
    forger = SuiteSigner(b"a guess")
    rest = build_chain(chain[2], notes(2), forger)
    with pytest.raises(ChainBroken, match="entry 4: was changed"):
        check_chain([*chain[:3], *rest], SIGNER)


def test_a_key_that_is_gone_is_named(chain):
    stranger = SuiteSigner()
    stranger.key_id = "other"
    with pytest.raises(ChainBroken, match=r"entry 1: was signed by a key that this gateway does not have \(suite\)"):
        check_chain(chain, stranger)


def forgetful(limit):
    """A log in a store that holds so many entries."""
    documents = MemoryCollection(AUDIT, MovedClock(), limit=limit)
    store = AuditRecords(documents)
    store.documents = documents
    return store


async def test_a_store_that_forgets_has_the_newest_entries_and_takes_more(chain):
    store = forgetful(3)
    await store.append(chain[:2])
    await store.append(chain[2:])
    assert await store.list(limit=9) == chain[2:]
    assert await store.list(after=3, limit=1) == [chain[3]]
    assert await store.list(after=5, limit=9) == []
    more = build_chain(await store.last(), notes(1), SIGNER)
    with pytest.raises(RecordConflict):
        await store.append(chain[3:4])
    await store.append(more)
    assert [entry.number async for entry in read(store)] == [4, 5, 6]


async def test_where_nothing_may_be_forgotten_a_missing_beginning_is_told(chain):
    store = forgetful(3)
    await store.append(chain)
    verdict = await verify(store, SIGNER)
    assert (verdict.entries, verdict.head) == (0, "")
    assert verdict.broken == "entry 1: is missing; entry 3 follows, and no entry says why"
