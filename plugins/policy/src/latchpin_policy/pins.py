"""Definitions of tools that are approved, as all workers keep them; a gate holds back what is not among them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from latchpin.contracts import Collection, Context, ToolGate, Verdict
from latchpin.errors import Conflict, Forbidden, LatchpinError, NotFound, RecordConflict
from latchpin.model import Caller, CollectionSpec, Gateway, Span
from latchpin.sdk.settings import load
from latchpin.sdk.stores import scan_all
from latchpin.sdk.workers import Bounded, SharedTasks

from latchpin_policy.facts import TOOL_APPROVED, TOOL_CHANGED
from latchpin_policy.pin import Pin, Variant, build_pin, hash_of, pin_id
from latchpin_policy.settings import PolicySettings
from latchpin_policy.stamp import Stamp

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["PINS", "PIN_STAMP", "PinGate", "Pins", "open_pins", "pins_of"]

_log = logging.getLogger("latchpin.policy")

PINS, PIN_STAMP = CollectionSpec("policy_pins", ("gateway", "held")), CollectionSpec("policy_pin_stamp")
REMEMBERED = timedelta(seconds=0.4)
AGAIN = timedelta(seconds=10)
"""When the same tool is noted again: a server that lists it otherwise each time must not keep the store busy."""
MOST_AGAIN = 5
"""So many definitions of one tool are noted in that time."""
MOST_PINS = 2_000
"""Of one gateway; tools beyond that are held back, and not kept: a server may make up names with each list."""
_MOST = 10_000
_TRIES = 5

APPROVED = Verdict(allowed=True, rule="its definition is approved")
FIRST = Verdict(allowed=True, rule="its definition is approved: nobody had listed it before")
CHANGED = Verdict(allowed=False, rule="its definition has changed, and waits for an administrator's approval")
WAITS = Verdict(allowed=False, rule="its definition waits for an administrator's approval")


class PinGate:
    """Lets approved definitions through; see ``latchpin.contracts.ToolGate``.

    Args:
        pins: is told of all others.
        gateway_id: whose tools.
        approved: hashes, by the tool's name.
    """

    def __init__(self, pins: Pins, gateway_id: str, approved: Mapping[str, frozenset[str]]) -> None:
        self.approved = approved
        self._pins = pins
        self._gateway_id = gateway_id
        self._first: dict[str, str] = {}

    def judge(self, name: str, definition: Mapping[str, Any] | None) -> Verdict | None:
        """By the definition's hash."""
        if definition is None:
            return None
        digest = hash_of(definition)
        known = self.approved.get(name)
        if known is not None:
            if digest in known:
                return APPROVED
            self._pins.note(self._gateway_id, name, definition, digest)
            return CHANGED if known else WAITS
        if name not in self._first and len(self.approved) + len(self._first) >= MOST_PINS:
            return WAITS
        is_first = self._first.setdefault(name, digest) == digest
        self._pins.note(self._gateway_id, name, definition, digest)
        return FIRST if is_first and self._pins.first_use else WAITS


class Pins:
    """Reads and writes them; see ``latchpin.contracts.ToolGates``."""

    def __init__(self, context: Context, settings: PolicySettings) -> None:
        self.first_use = settings.tool_pinning_first_use
        self._clock = context.clock
        self._activity = context.activity
        self._pins: Collection = context.collection(PINS)
        self._stamp = Stamp(context.collection(PIN_STAMP))
        self._revision = 0
        self._asked_at: datetime | None = None
        self._gates: Bounded[str, tuple[int, PinGate]] = Bounded(_MOST)
        self._reading: SharedTasks[str, PinGate] = SharedTasks()
        self._noted: Bounded[str, tuple[datetime, frozenset[str]]] = Bounded(_MOST)
        self._waiting: dict[str, tuple[str, str, Variant]] = {}
        self._writing: asyncio.Task[None] | None = None

    # -- the gate -----------------------------------------------------------------------------------------

    async def of(self, gateway: Gateway, caller: Caller) -> ToolGate | None:  # noqa: ARG002  the protocol's
        """The gate of a gateway, whoever calls; the same while nothing was approved or seen first.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now = self._clock()
        if self._asked_at is None or not self._asked_at <= now < self._asked_at + REMEMBERED:
            self._revision, self._asked_at = await self._stamp.revision(), now
        known = self._gates.get(gateway.id)
        if known is not None and known[0] == self._revision:
            return known[1]
        return await self._reading.run(f"{gateway.id} {self._revision}", lambda: self._read(gateway.id))

    async def _read(self, gateway_id: str) -> PinGate:
        revision = self._revision
        approved = {pin.name: pin.hashes async for pin in self._scan("gateway", Span.only(gateway_id))}
        known = self._gates.get(gateway_id)
        gate = known[1] if known is not None and known[1].approved == approved else None
        gate = gate or PinGate(self, gateway_id, approved)
        self._gates[gateway_id] = (revision, gate)
        return gate

    async def _scan(self, index: str, within: Span) -> AsyncIterator[Pin]:
        async for held in scan_all(self._pins, index, within):
            yield Pin.read(held)

    # -- what is seen -------------------------------------------------------------------------------------

    def note(self, gateway_id: str, name: str, definition: Mapping[str, Any], digest: str) -> None:
        """A definition was listed that is not approved: it is written on the side."""
        id_, now = pin_id(gateway_id, name), self._clock()
        since, seen = self._noted.get(id_, (now, frozenset[str]()))
        if not since <= now < since + AGAIN:
            since, seen = now, frozenset()
        if digest in seen or len(seen) >= MOST_AGAIN or id_ in self._waiting:  # what came first is written first
            return
        self._noted[id_] = since, seen | {digest}
        self._waiting[id_] = (gateway_id, name, Variant(definition, digest, now))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def settled(self) -> None:
        """Wait until what was seen is written."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        try:
            written = False
            while self._waiting:
                _, (gateway_id, name, variant) = self._waiting.popitem()
                written = await self._see(gateway_id, name, variant) or written
            if written:
                await self._tell_workers()
        except LatchpinError as exc:
            _log.warning("What changed about tools could not be written: %s", exc)
            self._waiting.clear()  # it is noted again when it is seen again
        finally:
            self._writing = None

    async def _see(self, gateway_id: str, name: str, variant: Variant) -> bool:
        """Whether anything had to be written."""
        for _ in range(_TRIES):
            stored = await self._pins.get(pin_id(gateway_id, name))
            if stored is None:
                pin = build_pin(gateway_id, name, variant, first_use=self.first_use)
            else:
                pin = Pin.read(stored)
                if variant.hash in pin.hashes or (pin.held is not None and pin.held.hash == variant.hash):
                    return False
                pin = pin.holding(variant)
            try:
                await self._pins.put(pin.dump())
            except RecordConflict:
                continue
            if pin.held is not None:
                _log.warning("Tool %s of gateway %s waits for approval", ascii(name[:200]), gateway_id)
                await self._activity.tell(TOOL_CHANGED, gateway_id=gateway_id, tool=name[:200])
            return True
        return False

    # -- what administrators do ---------------------------------------------------------------------------

    async def held(self) -> list[Pin]:
        """Those that wait for approval, oldest first."""
        return [pin async for pin in self._scan("held", Span())]

    async def get(self, id: str) -> Pin:  # noqa: A002  as the collection calls it
        """One of them.

        Raises:
            NotFound: there is none, or it waits for nothing any more.
        """
        stored = await self._pins.get(id) if id else None
        pin = None if stored is None else Pin.read(stored)
        if pin is None or pin.held is None:
            raise NotFound("no such tool waits for approval", remedy="It may have been approved: list them again.")
        return pin

    async def approve(self, id: str, digest: str, caller: Caller) -> Pin:  # noqa: A002  as above
        """Approve what is held: what the administrator has seen, and nothing that came since.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: nothing waits.
            Conflict: it has changed again.
        """
        if not caller.is_admin:
            raise Forbidden("only administrators approve tools")
        for _ in range(_TRIES):
            pin = await self.get(id)
            if pin.held is None or pin.held.hash != digest:
                raise Conflict("the tool has changed again", remedy="Look at it once more.")
            approved = pin.approving(caller.email, self._clock())
            try:
                await self._pins.put(approved.dump())
            except RecordConflict:
                continue
            await self._tell_workers()
            await self._activity.tell(
                TOOL_APPROVED, actor=caller.email, gateway_id=pin.gateway, tool=pin.name[:200], hash=digest
            )
            return approved
        raise Conflict("the tool keeps being changed by others")

    async def _tell_workers(self) -> None:
        await self._stamp.renew()
        self._asked_at = None  # only now: a call that came meanwhile has read the earlier stamp

    async def close(self) -> None:
        """End what is under way."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)


async def pins_of(application: Application) -> Pins:
    """The process's pins, for pages and commands; they are there whether or not tools are pinned now."""
    return await open_pins(application.services.context, load(PolicySettings))


async def open_pins(context: Context, settings: PolicySettings) -> Pins:
    """The process's pins."""

    @asynccontextmanager
    async def opener() -> AsyncIterator[Pins]:
        pins = Pins(context, settings)
        try:
            yield pins
        finally:
            await pins.close()

    return await context.shared("latchpin_policy pins", opener)
