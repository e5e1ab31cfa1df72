"""What each server offers each caller: in this process's memory, in the store for all workers, renewed on the side.

Nobody waits for a server: what is kept is given at once, even where it is old. Only where a server was never asked on
the caller's behalf, the first list waits a little.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from latchpin.contracts import Collection
from latchpin.errors import LatchpinError, RecordConflict
from latchpin.model import Caller, CollectionSpec, Document, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.workers import Bounded

from latchpin_aggregator.fetching import Fetching
from latchpin_aggregator.gated import Gated
from latchpin_aggregator.kept import Kept, held_bytes
from latchpin_aggregator.settings import AggregatorSettings
from latchpin_aggregator.slugs import Slugs
from latchpin_aggregator.wire import Unavailable

__all__ = ["LISTS", "Lists", "Offer"]

_log = logging.getLogger("latchpin.aggregator")

LISTS = CollectionSpec("aggregator_lists", ("gateway",), disposable=True)
LONGEST = timedelta(minutes=10)
"""For how long a list is taken for fresh at most, whatever its server says."""
AGAIN = timedelta(seconds=30)
"""When a server is asked again that could not be."""
PAUSE = timedelta(seconds=10)
"""How long a list is believed where a name is missing in it."""
UNUSED = timedelta(days=7)
"""When what nobody asks for any more is forgotten."""
MOST_HELD = 24_000_000
"""How much of lists one worker remembers, in bytes; what several people are offered alike counts once."""
_MOST = 20_000

Key = tuple[str, str, str]
Offer = tuple[Gateway, str, Kept]
"""A gateway, its slug, and what it offers."""


class Lists:
    """Keeps and renews what servers offer."""

    def __init__(
        self, application: Application, settings: AggregatorSettings, fetching: Fetching, slugs: Slugs
    ) -> None:
        self._application = application
        self._clock = application.services.clock
        self._settings = settings
        self._fetching = fetching
        self._slugs = slugs
        self._documents: Collection = application.services.context.collection(LISTS)
        self._known: Bounded[Key, Kept] = Bounded(_MOST)
        self._down: Bounded[tuple[str, str], tuple[datetime, str]] = Bounded(_MOST)
        self._renewed_at: Bounded[Key, datetime] = Bounded(_MOST)
        self._renewing: dict[Key, asyncio.Task[None]] = {}
        self._gated = Gated(application)

    async def offers(self, gateways: Sequence[Gateway], caller: Caller, *, wait: float | None = None) -> list[Offer]:
        """What the servers of these gateways offer the caller, in their order.

        Args:
            gateways: whose; the caller may use them.
            caller: on whose behalf.
            wait: how many seconds to wait for what was never asked for; the setting's if None.
        """
        missing = [gateway for gateway in gateways if not await self._ready(gateway, caller)]
        if missing:
            await self._first(missing, caller, self._settings.one_endpoint_first_wait if wait is None else wait)
        return [(gateway, await self._slugs.of(gateway), await self._seen(gateway, caller)) for gateway in gateways]

    async def of(self, gateway: Gateway, caller: Caller, *, renewed: bool = False) -> Kept:
        """What one server offers, asked for where nothing is kept, or ``renewed`` says so."""
        if (renewed and self._may_renew(gateway, caller)) or not await self._ready(gateway, caller):
            await self._first([gateway], caller, self._settings.one_endpoint_list_timeout)
        return await self._seen(gateway, caller)

    async def _seen(self, gateway: Gateway, caller: Caller) -> Kept:
        """What this process remembers of it, without what is held back from the caller now."""
        return await self._gated.of(gateway, caller, self.get(gateway, caller))

    def milliseconds_left(self, kept: Kept) -> int:
        """For how long it is fresh."""
        return int((kept.fresh_until - self._clock()) / timedelta(milliseconds=1))

    def _may_renew(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether it was renewed long enough ago: names that nobody offers must not keep servers busy."""
        began = self._renewed_at.get(_key(gateway, caller))
        return began is None or self._clock() - began >= PAUSE

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._renewing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one server's -------------------------------------------------------------------------------------

    def get(self, gateway: Gateway, caller: Caller) -> Kept:
        """What this process remembers of it, as the server lists it."""
        return self._known.get(_key(gateway, caller)) or self._unheard()

    def _unheard(self) -> Kept:
        return Kept({}, self._clock() + AGAIN, "it has not answered yet", listed=False)

    async def _ready(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether something is there to be given at once; where it is not fresh, it is renewed on the side."""
        kept = self._known.get(_key(gateway, caller)) or await self._load(gateway, caller)
        if kept is None:
            return False
        if kept.waits and not await self._application.must_authorize(gateway, caller):
            return False  # the person has just authorized it: whoever lists now wants to see it
        if kept.fresh_until <= self._clock():
            self._on_the_side(gateway, caller)
        return True

    async def _first(self, gateways: Sequence[Gateway], caller: Caller, seconds: float) -> None:
        """Ask them, and wait for that once: who has not answered by then delays no later list."""
        tasks = [self._on_the_side(gateway, caller) for gateway in gateways]
        await asyncio.wait(tasks, timeout=seconds)
        for key in (_key(gateway, caller) for gateway in gateways):
            if seconds and key not in self._known:
                self._known[key] = self._unheard()

    def _on_the_side(self, gateway: Gateway, caller: Caller) -> asyncio.Task[None]:
        """Renew it, unless that is under way: whoever waits may go away, it goes on."""
        key = _key(gateway, caller)
        task = self._renewing.get(key)
        if task is None:
            task = self._renewing[key] = asyncio.create_task(self._renew(gateway, caller))
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        self._renewing.pop(key, None)
        if not task.cancelled() and (failed := task.exception()) is not None:
            _log.warning("The lists of gateway %s could not be renewed: %s", key[0], failed)

    async def _renew(self, gateway: Gateway, caller: Caller) -> None:
        key = _key(gateway, caller)
        before = self._known.get(key)
        self._renewed_at[key] = self._clock()
        try:
            kept = await self._ask(gateway, caller)
        except Unavailable as exc:
            if exc.unreachable:
                self._note_down(gateway, exc.reason)
            kept = self._failed(before, exc.reason, waits=exc.waits)
        except LatchpinError as exc:
            kept = self._failed(before, exc.public, waits=False)
        self._remember(key, kept)
        await self._keep(gateway, caller, kept)

    async def _ask(self, gateway: Gateway, caller: Caller) -> Kept:
        if await self._application.must_authorize(gateway, caller):
            raise Unavailable("it needs your authorization", waits=True)
        down = self._down.get((gateway.id, gateway.url))
        if down is not None and self._clock() < down[0]:
            raise Unavailable(down[1], unreachable=True)  # somebody has just found that out
        slug = await self._slugs.of(gateway)
        try:
            async with asyncio.timeout(self._settings.one_endpoint_list_timeout):
                fetched = await self._fetching.fetch(gateway, caller, slug)
        except TimeoutError:
            raise Unavailable("it did not answer in time") from None
        holds = self._settings.one_endpoint_fresh_seconds if fetched.holds is None else max(fetched.holds, 1.0)
        return Kept(fetched.entries, self._clock() + min(timedelta(seconds=holds), LONGEST))

    def _note_down(self, gateway: Gateway, reason: str) -> None:
        """Spare others the wait for a connection that nobody gets. What one person alone meets is no reason to."""
        key = (gateway.id, gateway.url)
        down = self._down.get(key)
        if down is None or self._clock() >= down[0]:
            self._down[key] = (self._clock() + AGAIN, reason)

    def _failed(self, before: Kept | None, reason: str, *, waits: bool) -> Kept:
        """What was listed before stays, unless the person's authorization is gone."""
        until = self._clock() + AGAIN
        if before is None or waits:
            return Kept({}, until, reason, waits, listed=False)
        return replace(before, fresh_until=until, problem=reason, waits=False)

    def _remember(self, key: Key, kept: Kept) -> None:
        """Remember it, and forget what was remembered longest ago where there is too much: the store has it."""
        self._known.pop(key, None)
        self._known[key] = kept
        while len(self._known) > 1 and held_bytes() > MOST_HELD:
            del self._known[next(iter(self._known))]

    # -- for all workers ----------------------------------------------------------------------------------

    async def _load(self, gateway: Gateway, caller: Caller) -> Kept | None:
        held = await self._documents.get(_id(gateway, caller))
        if held is None:
            return None
        kept = Kept.parse(held.body)
        self._remember(_key(gateway, caller), kept)
        return kept

    async def _keep(self, gateway: Gateway, caller: Caller, kept: Kept) -> None:
        id_ = _id(gateway, caller)
        held = await self._documents.get(id_)
        document = Document(
            id_,
            kept.dump(),
            {"gateway": gateway.id},
            revision=0 if held is None else held.revision,
            expires_at=self._clock() + UNUSED,
        )
        with contextlib.suppress(RecordConflict):  # another worker has just renewed it
            await self._documents.put(document)


def _key(gateway: Gateway, caller: Caller) -> Key:
    return gateway.id, gateway.url, caller.email


def _id(gateway: Gateway, caller: Caller) -> str:
    text = "\n".join(_key(gateway, caller))
    return hashlib.sha256(text.encode()).hexdigest()
