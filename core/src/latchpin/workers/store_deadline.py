"""Deadlines for what answers in an instant or not at all: a store beside us.

When a thousand callers arrive at once, the event loop itself may be busy for longer than the deadline, and an answer
that came long ago has not been looked at. Time in which this process did not get on does not count here, so that its
own slowness, or a pause of the whole machine, is not taken for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from latchpin.errors import BackendUnavailable
from latchpin.workers.turns import turn

__all__ = ["StoreDeadline", "insist", "store_deadline"]

ResultT = TypeVar("ResultT")

SLICES = 8
"""The deadline passes in so many parts; each counts once, however late the loop comes to it."""

AGAIN_SECONDS = 0.25
"""Between two tries at a store that is away, while a person waits."""


class StoreDeadline:
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
async def store_deadline(seconds: float, silent: Callable[[], bool] = lambda: True) -> AsyncIterator[StoreDeadline]:
    """Raise TimeoutError in the body after ``seconds`` of this process's own time.

    Args:
        seconds: how long.
        silent: is asked after each part of the deadline. False: the store answered somebody in that part, or had
            nothing to answer. Then the deadline begins anew, so that waiting in a queue that moves is not a silence.
    """
    loop = asyncio.get_running_loop()
    still = StoreDeadline(seconds)
    timer: asyncio.TimerHandle | None = None

    def pass_one() -> None:
        nonlocal timer
        if still.spend(silent=silent()):
            timer = loop.call_later(still.part, pass_one)
        else:
            limit.reschedule(loop.time())

    timer = loop.call_later(still.part, pass_one)
    try:
        async with asyncio.timeout(None) as limit:
            try:
                yield still
            finally:
                timer.cancel()
    except TimeoutError:
        await turn()  # all who wait for a store that is away are told so at the same time
        raise


async def insist(work: Callable[[], Awaitable[ResultT]], *, until: float) -> ResultT:
    """Do ``work``, and again while the store that it needs is away: a fail-over takes longer than one deadline.

    Args:
        work: may be done again when it failed, as every store promises of what it could not do.
        until: when to give up, in the event loop's time, in seconds.

    Raises:
        BackendUnavailable: the last one, if the store did not come back; at once, if that does not help.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await work()
        except BackendUnavailable as exc:
            if not exc.passing or loop.time() + AGAIN_SECONDS >= until:
                raise
        await asyncio.sleep(AGAIN_SECONDS)
