"""The rules of a record store's small kept values: keys made once, one-time links, leases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import Advance
from latchpin_testing.rules import found, gives, holds, outcomes, same

from tests.records.opened import OpenedPieces, Pieces

__all__ = ["KeptRules"]

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

    async def test_kept_taken_by_many(self, store: Pieces, clock: MovedClock) -> None:
        """Fifty callers at once: one gets it. A one-time link works one time."""
        await store.kept.put(NAME, "link", expires_at=clock() + LEASE)
        results = await outcomes(store.kept.take(NAME) for _ in range(50))
        seen = [result for result in results if result is not None]
        same(seen, ["link"], "of many callers one takes the value")
