"""The rules of a record store's audit log: one chain, whoever extends it."""

from __future__ import annotations

import pytest
from latchpin.errors import RecordConflict
from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.rules import gives, outcomes, refused, same

from tests.audit.entries import audit_entries
from tests.records.opened import OpenedPieces, Pieces

__all__ = ["AuditRules"]


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
