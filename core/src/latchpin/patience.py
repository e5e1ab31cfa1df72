"""Deadlines for what answers in an instant or not at all: a store beside us.

When a thousand callers arrive at once, the event loop itself may be busy for longer than the deadline, and an answer
that came long ago has not been looked at. Time in which this process did not get on does not count here, so that its
own slowness, or a pause of the whole machine, is not taken for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["patience"]

SLICES = 8
"""The deadline passes in so many parts; each counts once, however late the loop comes to it."""


@asynccontextmanager
async def patience(seconds: float, silent: Callable[[], bool] = lambda: True) -> AsyncIterator[None]:
    """Raise TimeoutError in the body after ``seconds`` of this process's own time.

    Args:
        seconds: how long.
        silent: is asked after each part of the deadline. False: the store answered somebody in that part, or had
            nothing to answer. Then the deadline begins anew, so that waiting in a queue that moves is not a silence.
    """
    loop = asyncio.get_running_loop()
    left = SLICES
    timer: asyncio.TimerHandle | None = None

    def pass_one() -> None:
        nonlocal left, timer
        left = left - 1 if silent() else SLICES
        if left:
            timer = loop.call_later(seconds / SLICES, pass_one)
        else:
            limit.reschedule(loop.time())

    timer = loop.call_later(seconds / SLICES, pass_one)
    async with asyncio.timeout(None) as limit:
        try:
            yield
        finally:
            timer.cancel()
