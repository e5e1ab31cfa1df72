"""Leases: of all workers and machines, one at a time does a thing; the others wait and take what it made.

A lease is a kept value with an owner and an expiry, so a worker that dies gives way by itself. What is done under a
lease must fit into its life: ask other servers before, not under it, wherever that is possible.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import BackendUnavailable

__all__ = ["Leases"]

MadeT = TypeVar("MadeT")
Pause = Callable[[float], Awaitable[object]]

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
"""Seconds between two looks at what another worker is making: short at first, then twice as long each time."""


class Leases:
    """Gives out leases that all workers on one record store respect.

    Args:
        kept: where they are kept.
        clock: judges their expiry.
        pause: waits that many seconds; tests give one that does not.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock, *, pause: Pause = asyncio.sleep) -> None:
        self._kept = kept
        self._clock = clock
        self._pause = pause

    @asynccontextmanager
    async def hold(
        self,
        purpose: str,
        subject: Sequence[str],
        *,
        life: timedelta,
        wait: timedelta | None = None,
        meanwhile: Callable[[], Awaitable[MadeT | None]] | None = None,
    ) -> AsyncIterator[MadeT | None]:
        """Hold the lease of ``purpose`` for ``subject``, or get what somebody else made meanwhile.

        Yields what ``meanwhile`` found, and there is nothing to do; else None to the holder, who does the work.
        Without ``meanwhile`` everybody has work of their own, and does it in turn.

        Raises:
            TimeoutError: another worker held it for all of ``wait`` (by default ``life``) and made nothing.
            BackendUnavailable: the store cannot be asked.
        """
        name = _name(purpose, subject)
        owner = secrets.token_hex(16)
        longest = (life if wait is None else wait).total_seconds()
        waited, pause = 0.0, FIRST_PAUSE
        try:
            while not await self._take(name, owner, life, look=waited > 0):
                if waited >= longest:
                    raise TimeoutError(f"another worker holds the lease for {purpose} and does not finish")
                await self._pause(pause)
                waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)
                if meanwhile is not None and (made := await meanwhile()) is not None:
                    yield made
                    return
            yield None if meanwhile is None else await meanwhile()
        finally:
            await self._give_back(name, owner)  # also if taking it failed: the store may have done it all the same

    @asynccontextmanager
    async def hold_any(self, purpose: str, subject: str, *, places: int, life: timedelta) -> AsyncIterator[bool]:
        """Hold one of ``places`` leases for a subject; say whether one was free. Nobody waits for another.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        owner = secrets.token_hex(16)
        taken: str | None = None
        first = secrets.randbelow(places)  # or all would try them in the same order
        try:
            for place in (*range(first, places), *range(first)):
                taken = _name(purpose, (subject, str(place)))
                if await self._take(taken, owner, life, look=True):
                    yield True
                    return
            taken = None
            yield False
        finally:
            if taken is not None:
                await self._give_back(taken, owner)

    async def _give_back(self, name: str, owner: str) -> None:
        """If it cannot be given back, it expires."""
        with suppress(BackendUnavailable):
            await self._kept.take(name, value=owner)

    async def _take(self, name: str, owner: str, life: timedelta, *, look: bool) -> bool:
        """``look`` first where it may be taken: waiting must not cost the store a write each time."""
        if look and await self._kept.get(name) is not None:
            return False
        return await self._kept.put(name, owner, expires_at=self._clock() + life) == owner


def _name(purpose: str, subject: Sequence[str]) -> str:
    return f"lease:{purpose}:{hashlib.sha256(chr(0).join(subject).encode()).hexdigest()}"
