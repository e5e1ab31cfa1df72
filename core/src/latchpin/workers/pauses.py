"""Pauses: a server that asked to be left alone for a while is, by all workers and for all callers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Literal

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import BackendUnavailable, UpstreamBusy, UpstreamError
from latchpin.workers.few_notes import FewNotes

__all__ = ["Pauses"]

PREFIX = "pause:"

Purpose = Literal["token", "registration"]
_PURPOSES: tuple[Purpose, ...] = ("token", "registration")


class Pauses:
    """Keeps pauses, one for each gateway and purpose, until they are over.

    Args:
        kept: where, for all workers.
        clock: judges their end.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._notes = FewNotes(kept, PREFIX)

    async def check(self, purpose: Purpose, gateway_id: str) -> None:
        """Go on only if no pause stands.

        Raises:
            UpstreamBusy: one does; ``retry_after`` is what is left of it, in seconds.
            BackendUnavailable: the store cannot be asked.
        """
        text = await self._notes.get(_name(purpose, gateway_id))
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
        self._notes.changed()

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
        self._notes.changed()


def _name(purpose: Purpose, gateway_id: str) -> str:
    return f"{PREFIX}{purpose}:{gateway_id}"
