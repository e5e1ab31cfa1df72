"""How much of all answers together one worker holds: one server with many callers must not fill its memory."""

from __future__ import annotations

from latchpin.sdk.outbound import Failure

__all__ = ["MOST_HELD_IN_ALL", "Room", "Share"]

MOST_HELD_IN_ALL = 134_217_728
"""In bytes."""


class Room:
    """What may be held in all, in bytes."""

    def __init__(self, limit: int = MOST_HELD_IN_ALL) -> None:
        self._free = limit

    def take(self, count: int) -> None:
        """Take room, or give it back where ``count`` is negative. Raises Failure: there is none left."""
        if count > self._free:
            raise Failure("too-large", "too much of other answers is held at once", sent=True)
        self._free -= count


class Share:
    """What one answer holds of it."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def hold(self, count: int) -> None:
        """Hold ``count`` bytes from now on, instead of what was held before. Raises Failure: there is no room."""
        self._room.take(count - self._held)
        self._held = count
