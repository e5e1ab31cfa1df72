"""Sealed members of documents: the store sees none open, and a moved one does not open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.errors import Unsealable
from latchpin.model import CollectionSpec, Document, Span
from latchpin_testing import MovedClock, SuiteContext
from latchpin_testing.sealing import SuiteCipher

SPEC = CollectionSpec("shelf_keys", ("owner",), frozenset({"secret", "other"}))


async def opened(backend_store):
    context = SuiteContext(records=backend_store, cipher=SuiteCipher())
    return context.collection(SPEC), backend_store.collection(SPEC)


@pytest.fixture
def store():
    from latchpin_memory_store.records import MemoryRecordStore

    return MemoryRecordStore(MovedClock())


async def test_a_sealed_member_is_sealed_in_the_store_and_open_outside(store):
    keys, raw = await opened(store)
    document = Document("k1", {"secret": "hush", "plain": "said", "other": None}, {"owner": "ada"})
    stored = await keys.put(document)
    assert replace(stored, revision=0) == document
    held = await raw.get("k1")
    assert held.body["plain"] == "said"
    assert held.body["other"] is None
    assert "hush" not in str(held.body)
    assert await keys.get("k1") == stored
    assert await keys.scan("owner", Span.only("ada"), limit=2) == [stored]
    assert await keys.count("owner") == 1
    assert await keys.take("k1") == stored
    assert not await keys.delete("k1")


async def test_a_sealed_member_moved_to_another_document_does_not_open(store):
    keys, raw = await opened(store)
    await keys.put(Document("mine", {"secret": "hush"}))
    moved = replace(await raw.get("mine"), id="yours", revision=0)
    await raw.put(moved)
    with pytest.raises(Unsealable):
        await keys.get("yours")


async def test_only_text_is_sealed(store):
    keys, _ = await opened(store)
    with pytest.raises(TypeError, match="secret of shelf_keys"):
        await keys.put(Document("k1", {"secret": 7}))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CollectionSpec("Upper"),
        lambda: CollectionSpec("a" * 41),
        lambda: CollectionSpec("fine", ("id",)),
        lambda: CollectionSpec("fine", ("a", "a")),
        lambda: Document("", {}),
        lambda: Document("nul\0", {}),
        lambda: Document("half \ud800", {}),
        lambda: Document("ä" * 128, {}),
        lambda: Document("fine", {}, {"owner": "a\0b"}),
        lambda: Document("fine", {}, {"owner": "x" * 701}),
        lambda: Document("fine", {}, revision=-1),
    ],
)
def test_what_no_store_could_hold_is_refused_where_it_is_made(make):
    with pytest.raises(ValueError, match=r"."):
        make()


async def test_a_body_that_is_not_json_is_refused_before_anything_is_written(store):
    things = store.collection(CollectionSpec("things"))
    for body, kind in (({"n": float("nan")}, ValueError), ({"t": timedelta(1)}, TypeError)):
        with pytest.raises(kind):
            await things.put(Document("t1", body))
    assert await things.get("t1") is None
