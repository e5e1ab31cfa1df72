"""The ring as one process has it: opened, looked at again every second, and known to the others by its version.

A new key is announced first. Each process says which version of the ring it has, and a key is made today's only once
all that are there have it: nothing that is sealed under a key reaches anybody who does not know it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from latchpin.contracts import Context, DerivedKey, Keys
from latchpin.errors import LatchpinError, RecordConflict
from latchpin.model import CollectionSpec, Document
from latchpin.sdk.stores import scan_all

from latchpin_key_ring.errors import KeyRingUnusable
from latchpin_key_ring.keeping import RingKeeper
from latchpin_key_ring.ring import Ring, RingKey

__all__ = ["HOLDERS", "SEALING", "TOLERANT", "Holder", "LiveRing", "derive", "live_ring", "name_key"]

_log = logging.getLogger("latchpin.keys")

SHARED_AS = "key-ring live"
SEALING = "sealing"
HOLDERS = CollectionSpec("key_ring_holders")
LIFE = timedelta(seconds=60)
"""A process that ended without a word is waited for so long."""
LOOKS = 1.0
SOONER = 0.1
"""Seconds between two looks at the ring; less after one that failed, or where an unknown key was met."""
_SAYS_AGAIN = timedelta(seconds=15)

TOLERANT: ContextVar[bool] = ContextVar("latchpin_key_ring_tolerant", default=False)
"""Whether a ring that cannot be used is opened all the same: to say so, or to begin another."""


def derive(key: bytes, purpose: str) -> DerivedKey:
    """The key of one purpose that follows from a key of the ring: HKDF-SHA256 (RFC 5869)."""
    info = f"latchpin key ring {purpose} v1".encode()
    return DerivedKey.named(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key))


def name_key(key: bytes) -> str:
    """What a key of the ring is called: as rows that are sealed under it say."""
    return derive(key, SEALING).id


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the ring open.

    Attributes:
        ring: which ring it has; ``""``: none.
        version: of that ring.
    """

    id: str
    ring: str
    version: int


@dataclass(slots=True)
class _Purpose:
    """Implements ``latchpin.contracts.Keys``: the ring's keys of one purpose, and those of the settings."""

    ring: LiveRing
    purpose: str
    own: Keys
    version: int = -1
    todays: DerivedKey | None = None
    by_id: dict[str, DerivedKey] = field(default_factory=dict)

    @property
    def current(self) -> DerivedKey:
        """Today's key: the ring's, or while it has none, the settings'.

        Raises:
            KeyRingUnusable: the ring cannot be used, and was opened to be looked at.
        """
        self._follow()
        return self.own.current if self.todays is None else self.todays

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``; one that is unknown lets the ring be looked at again."""
        self._follow()
        key = self.by_id.get(key_id) or self.own.find(key_id)
        if key is None:
            self.ring.missed.set()
        return key

    def _follow(self) -> None:
        if self.ring.fault is not None:
            raise self.ring.fault
        taken = self.ring.taken
        if self.version != taken:
            self.todays, self.by_id = self.ring.keys_for(self.purpose)
            self.version = taken  # last: another thread may seal meanwhile


class LiveRing:
    """Implements ``latchpin.contracts.KeySource``.

    Args:
        context: what the gateway is opened with; the record store is open.

    Attributes:
        keeper: reads and writes the ring.
        ring: as it was read last; None: none was begun.
        fault: why it cannot be used, where it was opened to be looked at.
        closed: one that was read and holds, and whose keys do not open, as while the key service is away; else None.
        taken: one more each time other keys were taken into use.
        missed: somebody asked for a key that is not known.
    """

    def __init__(self, context: Context) -> None:
        self.keeper = RingKeeper(context)
        self.ring: Ring | None = None
        self.fault: LatchpinError | None = None
        self.closed: Ring | None = None
        self.taken = 0
        self.missed = asyncio.Event()
        self._context = context
        self._plain: dict[tuple[str, str], bytes] = {}
        self._holders = context.collection(HOLDERS)
        self._told = Document(context.instance_id, {})
        self._said: tuple[dict[str, object], datetime] | None = None

    def keys(self, purpose: str, own: Keys) -> Keys:
        """The ring's keys of one purpose beside those of the settings."""
        return _Purpose(self, purpose, own)

    def keys_for(self, purpose: str) -> tuple[DerivedKey | None, dict[str, DerivedKey]]:
        """Today's key of a purpose, and all of them by their names."""
        todays: DerivedKey | None = None
        found: dict[str, DerivedKey] = {}
        for key in () if self.ring is None else self.ring.keys:
            derived = self.derived(key, purpose)
            if derived is not None:
                found[derived.id] = derived
                todays = derived if key.state == "current" else todays
        return todays, found

    def derived(self, key: RingKey, purpose: str) -> DerivedKey | None:
        """The key of a purpose that follows from one of the ring; None for one that proves for another purpose."""
        plain = self._plain[key.id, key.purpose]
        if not key.purpose:
            return derive(plain, purpose)
        return DerivedKey.named(plain) if key.purpose == purpose else None

    async def refresh(self) -> None:
        """Take the ring as it is now into use, and say so.

        Raises:
            KeyRingUnusable: it cannot be used; what was in use stays so.
            UpstreamError, ConfigurationError: the key service did not open a new key; as above.
            BackendUnavailable: the store cannot be asked.
        """
        ring = await self.keeper.read()
        if self.ring is not None and (ring is None or (ring.id == self.ring.id and ring.version < self.ring.version)):
            what = "the key ring in the record store is older than the one in use"
            raise KeyRingUnusable(what, remedy="Put the ring back: somebody restored or changed the record store.")
        if ring is not None and ring != self.ring:
            self.closed = ring
            await self.take(ring)
            self.closed = None

    async def take(self, ring: Ring) -> None:
        """Take a ring into use that was read or written just now; raises as ``refresh`` does."""
        plain = {
            (key.id, key.purpose): self._plain.get((key.id, key.purpose)) or await self.keeper.unwrap(ring.id, key)
            for key in ring.keys
        }
        for (name, purpose), key in plain.items():
            if (DerivedKey.named(key).id if purpose else name_key(key)) != name:
                raise KeyRingUnusable(f"key {name} of the ring is another than its name says")
        self._plain, self.ring = plain, ring
        self.taken += 1

    # -- who else has it ----------------------------------------------------------------------------------

    async def say(self) -> None:
        """Say which version this process has, unless that was said a moment ago."""
        now, ring = self._context.clock(), self.ring
        body: dict[str, object] = {
            "ring": "" if ring is None else ring.id,
            "version": 0 if ring is None else ring.version,
        }
        if self._said is not None and self._said[0] == body and now < self._said[1] + _SAYS_AGAIN:
            return
        for _ in range(2):
            try:
                self._told = await self._holders.put(Document(self._told.id, body, {}, self._told.revision, now + LIFE))
                break
            except RecordConflict:  # it expired, or somebody emptied the store
                held = await self._holders.get(self._told.id)
                self._told = Document(self._told.id, {}, {}, 0 if held is None else held.revision)
        self._said = body, now

    async def unsay(self) -> None:
        """This process ends."""
        await self._holders.delete(self._told.id)

    async def holders(self) -> Sequence[Holder]:
        """The processes that have the ring open, this one too."""
        found = scan_all(self._holders)
        return [Holder(each.id, str(each.body["ring"]), int(each.body["version"])) async for each in found]

    async def behind(self) -> Sequence[Holder]:
        """Those that have not the ring as this process has it."""
        ring = self.ring
        if ring is None:
            return []
        return [each for each in await self.holders() if each.ring != ring.id or each.version < ring.version]

    async def follow(self) -> None:
        """Look at the ring again and again, until cancelled. What cannot be read is logged once, and tried on."""
        failed = ""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SOONER if failed else LOOKS):
                    await self.missed.wait()
                await asyncio.sleep(SOONER)  # invented names must not become a flood of looks
            self.missed.clear()
            try:
                await self.refresh()
                await self.say()
                failed = ""
            except Exception as exc:  # noqa: BLE001  a key service's plugin may fail in any way; the keys at hand serve on
                why = (exc.detail or exc.public) if isinstance(exc, LatchpinError) else type(exc).__name__
                if why != failed:
                    _log.warning("The key ring cannot be read anew (%s); the keys at hand stay in use", why)
                failed = why


@asynccontextmanager
async def _open(context: Context) -> AsyncIterator[LiveRing]:
    live = LiveRing(context)
    tolerant = TOLERANT.get()
    if not context.diagnostic:
        await live.say()  # before it is read: who rotates meanwhile waits for this process
    try:
        await live.refresh()
    except LatchpinError as exc:
        if not tolerant:
            await _leave(live, context)
            raise
        live.fault = exc
    if context.diagnostic or live.fault is not None:
        yield live
        return
    await live.say()
    task = asyncio.create_task(live.follow(), name="key ring")
    try:
        yield live
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _leave(live, context)


async def _leave(live: LiveRing, context: Context) -> None:
    if not context.diagnostic:
        with suppress(LatchpinError):  # it expires
            await live.unsay()


async def live_ring(context: Context) -> LiveRing:
    """The ring of this process, opened once.

    Raises:
        KeyRingUnusable: the ring cannot be used, and nothing is served.
        UpstreamError, ConfigurationError: the key service does not open its keys.
        BackendUnavailable: the store cannot be asked.
    """
    return await context.shared(SHARED_AS, lambda: _open(context))
