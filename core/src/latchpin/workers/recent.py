"""What was read a moment ago, for what every call asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from latchpin.contracts import Clock
from latchpin.workers.bounded import Bounded

__all__ = ["RECENT", "Recent"]

RECENT = timedelta(seconds=1)
"""So old what is remembered may be: so late a process sees what another one writes."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Recent(Generic[KeyT, ValueT]):
    """Remembers what was read, for ``RECENT``.

    What this process writes is seen at once: it calls ``forget`` after each write, and what was being read then is not
    remembered.

    Args:
        clock: the gateway's. It may be set back: what was read later than now is not given.
        most: so many are remembered.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._held: Bounded[KeyT, tuple[ValueT, datetime]] = Bounded(most)
        self._forgotten = 0

    def get(self, key: KeyT) -> ValueT | None:
        """What was read of it at most ``RECENT`` ago; None: nothing was."""
        held = self._held.get(key)
        if held is None:
            return None
        value, read_at = held
        return value if read_at <= self._clock() < read_at + RECENT else None

    async def read(self, key: KeyT, look: Callable[[], Awaitable[ValueT]]) -> ValueT:
        """Read it now, and remember it; that there is none is not remembered. Raises what ``look`` raises."""
        now, forgotten = self._clock(), self._forgotten
        found = await look()
        if found is not None and forgotten == self._forgotten:
            self._held[key] = (found, now)
        return found

    def forget(self, key: KeyT) -> None:
        """Something of it was written here."""
        self._forgotten += 1
        self._held.pop(key, None)

    def forget_each(self, wanted: Callable[[KeyT], bool]) -> None:
        """Something was written here of each key for which ``wanted`` holds."""
        self._forgotten += 1
        for key in [key for key in self._held if wanted(key)]:
            del self._held[key]
