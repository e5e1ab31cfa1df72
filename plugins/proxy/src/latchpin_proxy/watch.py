"""One exchange, watched from its first byte to its last: by one timer, in the task that serves it.

It ends when nothing has moved for too long, when its caller hangs up, and when the caller's sessions or grant end. Most
exchanges are over before anything has to be looked at: those cost a timer that is set and cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, Self

from latchpin.model import Caller
from latchpin.sdk.gateway import Departures, Watched

__all__ = ["Watch"]

LOOKS_AFTER = 0.05
"""Seconds until it is first looked whether the caller is still there, and in; from then on that is seen at once."""


class Watch:
    """Watches over the body of an ``async with watch.over(...)``, which raises TimeoutError if it was ended.

    Args:
        idle: for how long nothing may move, in seconds.

    Attributes:
        ended: why it was ended; None: it was not.
    """

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self.ended: Literal["idle", "left", "out"] | None = None
        self._serves: tuple[Departures, Caller] | None = None
        self._watched: Watched | None = None
        self._gone: Callable[[], Awaitable[None]] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._moved_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)

    def over(self, gone: Callable[[], Awaitable[None]]) -> Self:
        """Watch from now on; ``gone`` returns when the caller has hung up."""
        self._gone = gone
        return self

    def serve(self, caller: Caller, departures: Departures) -> None:
        """Say for whom it is."""
        self._serves = departures, caller

    async def __aenter__(self) -> None:
        """Begin."""
        await self._limit.__aenter__()
        self._timer = self._loop.call_later(min(LOOKS_AFTER, self.idle), self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; nothing is looked at any more."""
        self._gone = None  # a circle would have to be found by the collector, once for each request
        self._timer.cancel()
        if self._serves is not None and self._watched is not None:
            self._serves[0].leave(self._watched)
        if self._waiting is not None:
            self._waiting.remove_done_callback(self._hung_up)
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        await self._limit.__aexit__(kind, error, trace)

    def moved(self) -> None:
        """Something moved; the next thing is waited for from now on."""
        self._moved_at = self._loop.time()

    def rest(self) -> None:
        """Neither the caller nor the server is waited for: what is done meanwhile has limits of its own."""
        self._moved_at = None

    def _look(self) -> None:
        if self._waiting is None and self._gone is not None:
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
            self._timer.cancel()
            self._limit.reschedule(self._loop.time())
