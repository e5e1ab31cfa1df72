"""The rules of collections: the documents that plugins keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from latchpin.contracts import Collection, RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import put_all, scan_all

from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import Advance, OpenedBackend
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same

__all__ = ["SUITE_COLLECTION", "CollectionRules"]

SUITE_COLLECTION = CollectionSpec("suite_things", ("owner", "made_at"))
OTHER = CollectionSpec("suite_others", ("owner",))
LIFE = timedelta(seconds=30)
MANY = 250

# In the order of their code points, which is not that of a language: blanks and case count, and so does every byte.
VALUES = (
    "",
    " ",
    "A",
    "B",
    "a",
    "a ",
    "a\x01",
    "a!",
    "aa",
    "ab",
    "b",
    "ä",
    "\ud7ff",
    "\ue000",
    "ﬀ",
    "😀",
    "a\U0010ffff",
    "a\U0010ffff!",
)
VALUES_SORTED = tuple(sorted(VALUES))


def thing(number: int, **values: Any) -> Document:  # noqa: ANN401  whatever a document has
    """A document that nothing stored yet."""
    return Document(**{"id": f"thing-{number:04}", "body": {"number": number}, **values})


@pytest.mark.asyncio
class CollectionRules(OpenedBackend):
    """What holds for every collection of a record store."""

    @pytest.fixture
    def things(self, store: RecordStore) -> Collection:
        """The collection under test."""
        return store.collection(SUITE_COLLECTION)

    async def test_a_document_comes_back_as_it_was(self, things: Collection, clock: MovedClock) -> None:
        """Body, fields and end come back, with the revision of the write."""
        body = {"text": 'ä😀"\\\n\x00\u2028', "list": [1, 2.5, None, True, {"deep": []}], "": {}, "big": 2**53}
        fields = {"owner": "ada@example.com", "made_at": index_time(clock())}
        written = Document("id: ä/😀 {1}", body, fields, expires_at=clock() + timedelta(microseconds=1234567))
        stored = await things.put(written)
        holds(stored.revision > 0, "put gives the document a revision")
        same(replace(stored, revision=0), written, "put returns the document as it is stored")
        await gives(things.get(written.id), stored, "a document comes back as it was")
        await gives(things.get("id: ä/😀 {2}"), None, "there is no document of another id")
        bare = await things.put(Document("bare", {}))
        await gives(things.get("bare"), bare, "an empty body without fields comes back")

    async def test_a_document_is_swapped_by_its_revision(self, things: Collection) -> None:
        """Only the revision that stands is written over."""
        first = await things.put(thing(1))
        await refused(things.put(thing(1)), RecordConflict, "revision 0 is refused where a document stands")
        second = await things.put(replace(first, body={"number": 2}))
        await refused(things.put(replace(first, body={})), RecordConflict, "an old revision is refused")
        await refused(
            things.put(replace(second, revision=second.revision + 1)),
            RecordConflict,
            "a revision of nobody's is refused",
        )
        await refused(things.put(thing(2, revision=1)), RecordConflict, "a revision is refused where nothing stands")
        await gives(things.get(first.id), second, "what was refused changed nothing")
        await gives(
            things.delete(first.id, revision=first.revision), False, "delete with an old revision removes nothing"
        )
        await gives(things.delete(first.id, revision=second.revision), True, "delete with the revision removes it")
        await gives(things.delete(first.id), False, "deleting what is not there says False")
        third = await things.put(thing(1))
        holds(third.revision not in {first.revision, second.revision}, "no revision comes back with a new document")
        await gives(things.delete(first.id, revision=first.revision), False, "whoever removed it late removes nothing")

    async def test_a_document_is_taken_once(self, things: Collection) -> None:
        """Of fifty callers one gets it."""
        stored = await things.put(thing(1, fields={"owner": "ada"}))
        results = await outcomes(things.take(stored.id) for _ in range(50))
        same([result for result in results if result is not None], [stored], "of many callers one takes a document")
        await gives(things.get(stored.id), None, "what was taken is gone")
        await gives(things.count("owner"), 0, "what was taken is in no index")

    async def test_many_documents_are_put_at_once(self, things: Collection, clock: MovedClock) -> None:
        """Each as if it were put by itself: what is refused keeps none of the others back."""
        standing = await things.put(thing(1, fields={"owner": "ada"}))
        expired = await things.put(thing(2, fields={"owner": "bob"}, expires_at=clock() - timedelta(seconds=1)))
        fields = {"owner": "eve", "made_at": index_time(clock())}
        stored = await put_all(
            things,
            [
                thing(5, fields=fields),
                thing(3, revision=7, fields=fields),
                replace(standing, body={"number": "new"}, fields=fields),
                thing(2, fields=fields),
                thing(4),
            ],
        )
        same([document is None for document in stored], [False, True, False, False, False], "one of five is refused")
        holds(
            len({document.revision for document in stored if document} - {standing.revision, expired.revision}) == 4,
            "each gets a revision of its own",
        )
        await gives(things.get("thing-0001"), stored[2], "a document is written over")
        await gives(things.get("thing-0002"), stored[3], "a document that ended is written over")
        await gives(things.get("thing-0003"), None, "what was refused is not written")
        await gives(things.scan("owner", limit=MANY), [stored[2], stored[3], stored[0]], "each is in its index, once")
        await gives(things.get("thing-0004"), stored[4], "a document without fields is written")
        again = await put_all(things, [thing(4), replace(standing, body={})])
        same(list(again), [None, None], "an old revision is refused, and revision 0 where a document stands")

    async def test_documents_that_are_put_in_order_end_with_the_first_that_is_refused(self, things: Collection) -> None:
        """What comes behind it is not written, so that nothing follows on what is not there."""
        standing = await things.put(thing(1))
        stored = await put_all(things, [thing(0), thing(1), thing(2)], in_order=True)
        same([document is None for document in stored], [False, True, True], "nothing is put behind what is refused")
        await gives(things.get("thing-0001"), standing, "what was refused changed nothing")
        await gives(things.get("thing-0002"), None, "what comes behind what is refused is not written")
        many = await put_all(things, [thing(number) for number in range(10, 10 + MANY)], in_order=True)
        holds(None not in many, "documents that may be put are all put")
        await gives(things.count(), 2 + MANY, "documents that may be put are all put")

    async def test_many_writers_lose_no_write(self, things: Collection) -> None:
        """Of fifty writers of one revision one wins; of fifty makers of one document too."""
        results = await outcomes(things.put(thing(1, body={"writer": number})) for number in range(50))
        made = [result for result in results if isinstance(result, Document)]
        holds(len(made) == 1, "of many makers of one document one succeeds", f"{len(made)}; {found(results[0])}")
        swaps = await outcomes(things.put(replace(made[0], body={"writer": number})) for number in range(50))
        won = [result for result in swaps if isinstance(result, Document)]
        holds(len(won) == 1, "of many writers of one revision one succeeds", f"{len(won)}; {found(swaps[0])}")
        losers = {type(result) for result in (*results, *swaps) if not isinstance(result, Document)}
        same(losers, {RecordConflict}, "the others are told RecordConflict")
        await gives(things.get(made[0].id), won[0], "the write that succeeded is the one that is stored")

    async def test_a_document_lasts_until_it_expires(
        self, things: Collection, store: RecordStore, clock: MovedClock, advance: Advance
    ) -> None:
        """At its end it is absent for every method, before any purge; purge then removes it."""
        for number in range(5):
            await things.put(thing(number, fields={"owner": "ada"}, expires_at=clock() + LIFE))
        lasting = await things.put(thing(9, fields={"owner": "ada"}))
        await advance(LIFE - timedelta(microseconds=1))
        await gives(things.count("owner"), 6, "a document stands until its end")
        await advance(timedelta(microseconds=1))
        await gives(things.get("thing-0000"), None, "at its end a document is gone")
        await gives(things.take("thing-0001"), None, "an expired document cannot be taken")
        await gives(things.delete("thing-0002"), False, "an expired document cannot be deleted")
        await gives(things.scan("owner", limit=9), [lasting], "an expired document is not scanned")
        await gives(things.count("owner"), 1, "an expired document is not counted")
        again = await things.put(thing(3, fields={"owner": "bob"}))
        await gives(things.get(again.id), again, "an expired document gives way to a new one")
        await store.purge()
        await gives(things.count(), 2, "purge removes no document that stands")
        await gives(things.scan("owner", limit=9), [lasting, again], "and leaves their index")
        await advance(timedelta(days=4000))
        await gives(things.get(lasting.id), lasting, "a document without an end lasts")

    async def test_an_index_sorts_by_code_point(self, things: Collection) -> None:
        """Whatever a database's language is; each value is found by itself and by its beginning."""
        for number, value in enumerate(VALUES):
            await things.put(thing(number, fields={"owner": value}))
        seen = await things.scan("owner", limit=99)
        same(tuple(document.fields["owner"] for document in seen), VALUES_SORTED, "values sort by code point")
        backwards = await things.scan("owner", limit=99, newest_first=True)
        same(backwards, seen[::-1], "newest_first gives the same backwards")
        for value in VALUES:
            only = await things.scan("owner", Span.only(value), limit=99)
            same([document.fields["owner"] for document in only], [value], f"Span.only({value!r}) finds that value")
            begins = [other for other in VALUES_SORTED if other.startswith(value)]
            scanned = await things.scan("owner", Span.prefix(value), limit=99)
            same([document.fields["owner"] for document in scanned], begins, f"Span.prefix({value!r}) finds its kind")
            await gives(things.count("owner", Span.prefix(value)), len(begins), "count counts what scan gives")

    async def test_an_index_follows_its_documents(self, things: Collection) -> None:
        """A changed field moves the document, a missing one takes it out, another collection has its own."""
        stored = await things.put(thing(1, fields={"owner": "ada", "made_at": "1"}))
        stored = await things.put(replace(stored, fields={"owner": "bob"}))
        await gives(things.scan("owner", Span.only("ada"), limit=9), [], "an old value finds nothing")
        await gives(things.scan("owner", Span.only("bob"), limit=9), [stored], "the new value finds the document")
        await gives(things.count("made_at"), 0, "a document without the field is not in the index")
        await gives(things.count(), 1, "every document is in the index of ids")

    async def test_an_index_that_is_not_declared_is_refused(self, things: Collection) -> None:
        """A misspelt name is told, and does not find nothing."""
        rule = "an index that is not declared is ValueError"
        await refused(things.scan("ownr", limit=9), ValueError, rule)
        await refused(things.count("ownr"), ValueError, rule)

    async def test_an_id_that_no_document_may_have_is_absent(self, things: Collection) -> None:
        """It may come from anywhere, so looking for it fails nobody."""
        await things.put(thing(1))
        for strange in ("", "a\0b", "\ud800", "x" * 5000):
            rule = f"nothing is under the id {strange[:9]!r}"
            await gives(things.get(strange), None, rule)
            await gives(things.take(strange), None, rule)
            await gives(things.delete(strange), False, rule)
        await gives(things.count(), 1, "looking for what cannot be there changes nothing")

    async def test_what_the_caller_holds_is_not_the_store_s(self, things: Collection) -> None:
        """Changing a document that was put or read changes nothing that is stored."""
        fields = {"owner": "ada"}
        stored = await things.put(thing(1, fields=fields))
        read = await things.get(stored.id)
        holds(read is not None, "a document that was put is there")
        for held in (fields, stored.fields, read.fields if read else {}):
            if isinstance(held, dict):
                held["owner"] = "bob"
        seen = await things.scan("owner", Span.only("ada"), limit=9)
        same([document.id for document in seen], [stored.id], "a document is found by what was put")
        await gives(things.delete(stored.id), True, "and is removed")
        await gives(things.count("owner"), 0, "from every index")

    async def test_collections_do_not_meet(self, things: Collection, store: RecordStore) -> None:
        """One id in two collections is two documents."""
        others = store.collection(OTHER)
        mine = await things.put(thing(1, fields={"owner": "ada"}))
        await gives(others.get(mine.id), None, "another collection has no such document")
        other = await others.put(thing(1, body={"other": True}))
        await gives(things.get(mine.id), mine, "another collection's document is another's")
        await gives(others.count("owner"), 0, "another collection's index is another's")
        await gives(others.take(mine.id), other, "each has its own")
        await gives(store.collection(SUITE_COLLECTION).get(mine.id), mine, "a collection opened again is the same")

    async def test_a_scan_goes_on_where_it_ended(self, things: Collection) -> None:
        """Page after page, forwards and backwards, no document is missed or met twice, with equal values too."""
        written = [thing(number, fields={"owner": f"user-{number % 7}"}) for number in range(MANY)]
        stored = [result for result in await outcomes(map(things.put, written)) if isinstance(result, Document)]
        expected = sorted(stored, key=lambda document: (document.fields["owner"], document.id))
        for newest_first in (False, True):
            wanted = expected[::-1] if newest_first else expected
            seen = [document async for document in scan_all(things, "owner", newest_first=newest_first, page=40)]
            same([document.id for document in seen], [document.id for document in wanted], "pages give all, in order")
        within = Span("user-2", "user-4")
        some = [document for document in expected if document.fields["owner"] in within]
        await gives(things.scan("owner", within, limit=MANY), some, "a span has its begin and not its end")
        await gives(things.count("owner", within), len(some), "count counts what scan gives")
        await gives(things.scan(limit=3), stored[:3], "the index of ids is always there")
