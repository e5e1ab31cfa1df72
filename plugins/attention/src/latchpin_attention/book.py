"""The needs as they are kept: each is told once when it begins and once when it is over, whichever worker sees it.

What an event says is kept at once. The rest is looked for through all connections, by one worker every few minutes.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Clock, Collection, Context, KeyValueRecords, Teller
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Fact, Span
from latchpin.sdk.stores import scan_all

from latchpin_attention.facts import MENDED, NEEDS_PERSON
from latchpin_attention.finding import find_needs
from latchpin_attention.need import Need, judge, parse_need
from latchpin_attention.signals import SIGNALS, Signals

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["LOOK_EVERY", "NEEDS", "STANDING", "NeedsBook", "NeedsRecorder", "in_turn", "look", "look_in_turn"]

NEEDS = CollectionSpec("attention_needs", indexes=("state",))
OVER_FOR = timedelta(days=30)
"""How long one is kept that is over: who told of it tells that too."""
STANDING = Span.only("standing")
LOOK_EVERY = timedelta(minutes=10)
"""So often, one of all workers looks through the connections."""
_LOOKS = "attention-look"


class NeedsBook:
    """Keeps what needs somebody.

    Args:
        documents: where.
        activity: is told of each need once.
        clock: the gateway's.
    """

    def __init__(self, documents: Collection, activity: Teller, clock: Clock) -> None:
        self._documents = documents
        self._activity = activity
        self._clock = clock

    @classmethod
    def of(cls, context: Context) -> NeedsBook:
        """The one of a gateway."""
        return cls(context.collection(NEEDS), context.activity, context.clock)

    async def read(self) -> list[Need]:
        """Those that stand: as of the last look, and by what events said since.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        return [need async for need in self._read("standing")]

    async def read_over(self) -> list[Need]:
        """Those that were over within ``OVER_FOR``; raises as ``read`` does."""
        return [need async for need in self._read("over")]

    async def add(self, need: Need) -> bool:
        """Keep one and tell of it; False: it was there."""
        held = await self._documents.get(need.id)
        if held is not None and held.fields["state"] == "standing":
            return False
        document = Document(need.id, {"need": need.describe()}, {"state": "standing"})
        if not await self._put(replace(document, revision=0 if held is None else held.revision)):
            return False
        facts = {"subject": need.owner, "gateway_id": need.gateway_id, "need": need.id, "cause": need.cause}
        await self._activity.tell(NEEDS_PERSON, **facts, since=need.since.isoformat())
        return True

    async def settle(self, need: Need) -> bool:
        """Note that one is over and tell of it; False: somebody else did."""
        held = await self._documents.get(need.id)
        if held is None or held.fields["state"] == "over":
            return False
        ends = self._clock() + OVER_FOR
        if not await self._put(replace(held, fields={"state": "over"}, expires_at=ends)):
            return False
        facts = {"subject": need.owner, "gateway_id": need.gateway_id, "need": need.id, "cause": need.cause}
        await self._activity.tell(MENDED, **facts)
        return True

    async def _put(self, document: Document) -> bool:
        try:
            await self._documents.put(document)
        except RecordConflict:
            return False
        return True

    async def _read(self, state: str) -> AsyncIterator[Need]:
        async for held in scan_all(self._documents, "state", Span.only(state)):
            yield parse_need(held.body["need"])


class NeedsRecorder:
    """Keeps what facts say of connections, and what follows from it at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._signals = Signals(context.collection(SIGNALS), context.clock)
        self._book = NeedsBook.of(context)

    async def record(self, fact: Fact) -> None:
        """Take ``fact``; most say nothing about this."""
        if await self._signals.hear(fact) or fact.name == "token.spent":
            await self._judge_at_once(fact)

    async def _judge_at_once(self, fact: Fact) -> None:
        records, now = self._context.records, self._context.clock()
        gateway = await records.gateways.get(fact.gateway_id)
        if gateway is None:
            return
        for token in await records.tokens.list(gateway_id=gateway.id, app_user_email=fact.subject):
            signal = await self._signals.get(token.id)
            need = judge(gateway, token, signal, opens=True, now=now, ahead=timedelta(0))
            if need is not None:
                await self._book.add(need)


async def look(application: Application) -> tuple[int, int]:
    """Look through all connections; return how many needs began and how many are over.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    book = NeedsBook.of(application.services.context)
    before = {each.id: each for each in await book.read()}
    now = {each.id: each for each in await find_needs(application)}
    begun = [await book.add(need) for name, need in now.items() if name not in before]
    over = [await book.settle(need) for name, need in before.items() if name not in now]
    return sum(begun), sum(over)


async def in_turn(kept: KeyValueRecords, clock: Clock, name: str, every: timedelta) -> bool:
    """Whether this worker has the turn called ``name``, which one of all has within ``every``.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    ours = secrets.token_urlsafe(16)
    return await kept.put(name, ours, expires_at=clock() + every) == ours


async def look_in_turn(application: Application) -> None:
    """Look, unless another worker did within ``LOOK_EVERY``."""
    services = application.services
    if await in_turn(services.kept, services.clock, _LOOKS, LOOK_EVERY):
        await look(application)
