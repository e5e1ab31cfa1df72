"""Pauses: a server that asked to be left alone for a while is, by all workers and for all callers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Literal

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import BackendUnavailable, UpstreamBusy, UpstreamError
from latchpin.workers.bounded import Bounded
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Pauses"]

RECENT = timedelta(seconds=0.25)
"""So long a worker goes on without asking the store again: nearly always there is no pause."""
_MOST_REMEMBERED = 10_000

Purpose = Literal["token", "registration"]
_PURPOSES: tuple[Purpose, ...] = ("token", "registration")


class Pauses:
    """Keeps pauses, one for each gateway and purpose, until they are over.

    What another worker begins or lifts is seen within ``RECENT``, what this one does at once.

    Args:
        kept: where, for all workers.
        clock: judges their end.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._remembered: Bounded[str, tuple[datetime, str | None]] = Bounded(_MOST_REMEMBERED)
        self._changes = 0
        self._reading: SharedTasks[tuple[str, int], str | None] = SharedTasks()

    async def check(self, purpose: Purpose, gateway_id: str) -> None:
        """Go on only if no pause stands.

        Raises:
            UpstreamBusy: one does; ``retry_after`` is what is left of it, in seconds.
            BackendUnavailable: the store cannot be asked.
        """
        text = await self._get(_name(purpose, gateway_id))
        if text is None or (until := datetime.fromisoformat(text)) <= self._clock():
            return
        left = int((until - self._clock()).total_seconds()) + 1
        raise UpstreamBusy(f"the server asked to be left alone for {left} more seconds", retry_after=max(left, 1))

    async def note(self, purpose: Purpose, gateway_id: str, exc: UpstreamError) -> None:
        """Begin the pause that ``exc`` asks for, if any. One that stands goes on; a store that is away keeps none."""
        if exc.retry_after is None:
            return
        until = self._clock() + timedelta(seconds=exc.retry_after)
        with suppress(BackendUnavailable):
            await self._kept.put(_name(purpose, gateway_id), until.isoformat(), expires_at=until)
        self._forget()

    @asynccontextmanager
    async def respected(self, purpose: Purpose, gateway_id: str) -> AsyncIterator[None]:
        """Ask the server in the body: only if no pause stands, and one begins if its answer asks for it.

        Raises:
            UpstreamBusy, BackendUnavailable: as ``check`` does.
        """
        await self.check(purpose, gateway_id)
        try:
            yield
        except UpstreamError as exc:
            await self.note(purpose, gateway_id, exc)
            raise

    async def lift(self, gateway_id: str) -> None:
        """After a gateway was changed: its servers may be others now."""
        with suppress(BackendUnavailable):
            for purpose in _PURPOSES:
                await self._kept.take(_name(purpose, gateway_id))
        self._forget()

    async def _get(self, name: str) -> str | None:
        """The end of a pause; those who ask at once read it once."""
        now = self._clock()
        read_at, text = self._remembered.get(name, (None, None))
        if read_at is not None and read_at <= now < read_at + RECENT:  # a clock may be set back
            return text
        return await self._reading.run((name, self._changes), lambda: self._read(name))

    async def _read(self, name: str) -> str | None:
        changes, now = self._changes, self._clock()
        text = await self._kept.get(name)
        if changes == self._changes:
            self._remembered[name] = (now, text)
        return text

    def _forget(self) -> None:
        """This worker changed a pause: what was read before holds no more."""
        self._changes += 1
        self._remembered.clear()


def _name(purpose: Purpose, gateway_id: str) -> str:
    return f"pause:{purpose}:{gateway_id}"
