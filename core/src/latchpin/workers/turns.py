"""Turns: what goes on after a wait goes on in its turn, a few in each round of the event loop.

A thousand callers who come at once, or who all waited for the same answer, would otherwise all go on in one round, and
who comes meanwhile, such as a load balancer that asks /health, would not even be heard before its end. Nobody waits
here for another's end, only for the next round: one that is held up, by its store or by a server, holds up no other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

__all__ = ["LEAST", "MOST", "Rounds", "turn"]

LEAST = 8
"""How many go on in one round, however long they take: a millisecond or less each, until they next wait."""
MOST = 64
"""How many go on where they take little: what goes on together also reaches a store in one batch."""
SHORT, LONG = 0.004, 0.012
"""In seconds: after a full round that took less than ``SHORT`` twice as many go on, after ``LONG`` half as many."""


async def turn(*, new: bool = False) -> None:
    """Go on at once if few others did in this round, else in a later one.

    Args:
        new: what begins only now waits for what was begun before.
    """
    loop, rounds = asyncio.get_running_loop(), _here.rounds
    if rounds is None or rounds.loop is not loop:
        rounds = _here.rounds = Rounds(loop)
    if not rounds.free():
        await rounds.later(new=new)


class Rounds:
    """The rounds of one event loop, and who waits for the next one.

    Attributes:
        loop: that one.
        at_once: how many may go on in this round.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.at_once = LEAST
        self._began: float | None = None
        self._gone_on = 0
        self._begun: deque[asyncio.Future[None]] = deque()
        self._new: deque[asyncio.Future[None]] = deque()

    def free(self) -> bool:
        """Count one more in this round, if there is room and nobody waits."""
        if self._gone_on >= self.at_once or self._begun or self._new:
            return False
        self._count(1)
        return True

    def end(self, seconds: float) -> None:
        """Let as many go on in the next round as fits one that took ``seconds``."""
        if seconds > LONG:
            self.at_once = max(LEAST, self.at_once // 2)
        elif seconds < SHORT and self._gone_on >= self.at_once:
            self.at_once = min(MOST, self.at_once * 2)

    def later(self, *, new: bool) -> asyncio.Future[None]:
        """What is done in a later round. As many as may went on in this one, so the next is looked to."""
        waited_for: asyncio.Future[None] = self.loop.create_future()
        (self._new if new else self._begun).append(waited_for)
        return waited_for

    def _count(self, more: int) -> None:
        """Count ``more``. Only a full round has its end looked to: nobody waits for that of another."""
        self._gone_on += more
        if more and self._gone_on >= self.at_once:
            self.loop.call_soon(self._begin)

    def _begin(self) -> None:
        now = self.loop.time()
        if self._began is not None:
            self.end(now - self._began)
        self._gone_on, gone_on = 0, 0
        while gone_on < self.at_once and (waiting := self._begun or self._new):
            waited_for = waiting.popleft()
            if not waited_for.done():  # else its task was cancelled
                waited_for.set_result(None)
                gone_on += 1
        self._began = now if gone_on >= self.at_once else None  # who came in several rounds says nothing of one
        self._count(gone_on)


class _Here(threading.local):
    """The rounds of this thread's loop. Those of a loop that has ended make room for the next one's."""

    rounds: Rounds | None = None


_here = _Here()
