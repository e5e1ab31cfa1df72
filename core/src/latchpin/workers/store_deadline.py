"""Deadlines for what answers in an instant or not at all: a store beside us.

When a thousand callers arrive at once, the event loop itself may be busy for longer than the deadline, and an answer
that came long ago has not been looked at. Time in which this process did not get on does not count here, so that its
own slowness, or a pause of the whole machine, is not taken for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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


class store_deadline:  # noqa: N801  reads as what it does; a generator over asyncio.timeout costs twice as much a call
    """Raise TimeoutError in the body after ``seconds`` of this process's own time.

    Args:
        seconds: how long.
        silent: is asked after each part of the deadline. False: the store answered somebody in that part, or had
            nothing to answer. Then the deadline begins anew, so that waiting in a queue that moves is not a silence.
    """

    __slots__ = ("_asked_before", "_loop", "_over", "_silent", "_still", "_task", "_timer")

    def __init__(self, seconds: float, silent: Callable[[], bool] = lambda: True) -> None:
        self._still = StoreDeadline(seconds)
        self._silent = silent
        self._over = False

    async def __aenter__(self) -> StoreDeadline:
        """Begin."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task that it can end")
        self._task, self._asked_before = task, task.cancelling()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._still.part, self._pass)
        return self._still

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """End; what was given up becomes a TimeoutError, as ``asyncio.timeout`` does it."""
        self._timer.cancel()
        if self._over and self._task.uncancel() <= self._asked_before and kind is asyncio.CancelledError:
            await turn()  # all who wait for a store that is away are told so at the same time
            raise TimeoutError from error

    def _pass(self) -> None:
        """One more part has passed."""
        if self._still.spend(silent=self._silent()):
            self._timer = self._loop.call_later(self._still.part, self._pass)
        else:
            self._over = True
            self._task.cancel()


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
