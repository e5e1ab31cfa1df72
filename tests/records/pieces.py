"""What the core keeps, over a store under test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from latchpin.contracts import Clock, RecordStore
from latchpin.records.kept import KeyValues
from latchpin.records.tools import ToolRecords
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin_audit.records import AUDIT, AuditRecords
from latchpin_flows.records import FLOWS, FlowRecords
from latchpin_testing.opening import OpenedBackend


class Pieces:
    """A record store, and what the core keeps in it."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self.gateways = store.gateways
        self.purge = store.purge
        self.kept = KeyValues(store)
        self.tools = ToolRecords(store, clock)
        self.flows = FlowRecords(store.collection(FLOWS))
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
