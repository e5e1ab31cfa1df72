"""A dictionary that cannot grow without end."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Bounded"]

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Bounded(dict[KeyT, ValueT]):
    """Holds ``most`` entries at the most: a new one takes the place of the oldest."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: KeyT, value: ValueT) -> None:
        if key not in self:
            while len(self) >= self._most:
                del self[next(iter(self))]
        super().__setitem__(key, value)
