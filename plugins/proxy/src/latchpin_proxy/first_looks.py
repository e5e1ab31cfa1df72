"""One timer for the first look at every exchange, since nearly all are over before it.

What it buys: a timer that is set and cancelled for each costs a third of what it takes to watch over it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["LOOKS_AFTER", "FirstLooks"]

LOOKS_AFTER = 0.05
"""Seconds until it is first looked whether the caller is still there, and in; from then on that is seen at once."""

Look = Callable[[], object]


class FirstLooks:
    """Calls each ``look`` after ``LOOKS_AFTER``; to be made in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, Look]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, look: Look) -> None:
        """Call ``look``, which does nothing where its exchange is over by then."""
        self._waiting.append((self._loop.time() + LOOKS_AFTER, look))
        if self._timer is None:
            self._timer = self._loop.call_later(LOOKS_AFTER, self._go_round)

    def _go_round(self) -> None:
        now = self._loop.time()
        try:
            while self._waiting and self._waiting[0][0] <= now:
                self._waiting.popleft()[1]()
        finally:  # where one look fails, the others are still done
            self._timer = self._loop.call_at(self._waiting[0][0], self._go_round) if self._waiting else None
