"""Deadlines for what answers in an instant or not at all: a store beside us.

When a thousand callers arrive at once, the event loop itself may be busy for longer than the deadline, and an answer
that came long ago has not been looked at. Time in which this process did not get on does not count here, so that its
own slowness, or a pause of the whole machine, is not taken for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["Patience", "patience"]

SLICES = 8
"""The deadline passes in so many parts; each counts once, however late the loop comes to it."""


class Patience:
    """What is left of a deadline."""

    def __init__(self, seconds: float) -> None:
        self.part = seconds / SLICES
        self._parts = SLICES

    @property
    def left(self) -> float:
        """Seconds that pass at the least before it is over."""
        return max(0, self._parts - 1) * self.part

    def spend(self, *, silent: bool) -> bool:
        """One more part has passed; it begins anew if it was not ``silent``. Whether anything is left."""
        self._parts = self._parts - 1 if silent else SLICES
        return self._parts > 0


@asynccontextmanager
async def patience(seconds: float, silent: Callable[[], bool] = lambda: True) -> AsyncIterator[Patience]:
    """Raise TimeoutError in the body after ``seconds`` of this process's own time.

    Args:
        seconds: how long.
        silent: is asked after each part of the deadline. False: the store answered somebody in that part, or had
            nothing to answer. Then the deadline begins anew, so that waiting in a queue that moves is not a silence.
    """
    loop = asyncio.get_running_loop()
    still = Patience(seconds)
    timer: asyncio.TimerHandle | None = None

    def pass_one() -> None:
        nonlocal timer
        if still.spend(silent=silent()):
            timer = loop.call_later(still.part, pass_one)
        else:
            limit.reschedule(loop.time())

    timer = loop.call_later(still.part, pass_one)
    async with asyncio.timeout(None) as limit:
        try:
            yield still
        finally:
            timer.cancel()
