"""One exchange, watched from its first byte to its last, in the task that serves it.

It ends when nothing has moved for too long, when its caller hangs up, and when the caller's sessions or grant end. Most
exchanges are over before anything has to be looked at; the others have a timer of their own from the first look on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, Self

from latchpin.model import Caller
from latchpin.sdk.gateway import Departures, Watched

from latchpin_proxy.first_looks import FirstLooks

__all__ = ["Watch"]


class Watch:
    """Watches over the body of an ``async with watch.over(...)``, which raises TimeoutError if it was ended.

    Args:
        idle: for how long nothing may move, in seconds.
        first_looks: says when to look first.

    Attributes:
        ended: why it was ended; None: it was not.
    """

    def __init__(self, idle: float, first_looks: FirstLooks) -> None:
        self.idle = idle
        self.ended: Literal["idle", "left", "out"] | None = None
        self._first_looks = first_looks
        self._serves: tuple[Departures, Caller] | None = None
        self._watched: Watched | None = None
        self._gone: Callable[[], Awaitable[None]] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._moved_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def over(self, gone: Callable[[], Awaitable[None]]) -> Self:
        """Watch from now on; ``gone`` returns when the caller has hung up."""
        self._gone = gone
        return self

    def serve(self, caller: Caller, departures: Departures) -> None:
        """Say for whom it is."""
        self._serves = departures, caller

    async def __aenter__(self) -> None:
        """Begin."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an exchange is served in a task, which can be ended")
        self._task, self._asked_before = task, task.cancelling()
        self._first_looks.expect(self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; nothing is looked at any more. What was ended becomes a TimeoutError, as ``asyncio.timeout`` does it."""
        self._gone = None  # a circle would have to be found by the collector, once for each request
        if self._timer is not None:
            self._timer.cancel()
        if self._serves is not None and self._watched is not None:
            self._serves[0].leave(self._watched)
        if self._waiting is not None:
            self._waiting.remove_done_callback(self._hung_up)
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        if self.ended and self._task.uncancel() <= self._asked_before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def moved(self) -> None:
        """Something moved; the next thing is waited for from now on."""
        self._moved_at = self._loop.time()

    def rest(self) -> None:
        """Neither the caller nor the server is waited for: what is done meanwhile has limits of its own."""
        self._moved_at = None

    def _look(self) -> None:
        if self._gone is None:  # it is over
            return
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._gone())
            self._waiting.add_done_callback(self._hung_up)
            if self._serves is not None:
                departures, caller = self._serves
                self._watched = departures.watch(caller.email, self._sent_out, stands_on=caller.stands_on)
        left = self.idle if self._moved_at is None else self._moved_at + self.idle - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._end("idle")

    def _hung_up(self, _waiting: object) -> None:
        self._end("left")

    def _sent_out(self) -> None:
        self._end("out")

    def _end(self, why: Literal["idle", "left", "out"]) -> None:
        if self.ended is None:
            self.ended = why
            if self._timer is not None:
                self._timer.cancel()
            self._task.cancel()
