"""What a worker ended of what proves callers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Endings"]


@dataclass(slots=True)
class Endings:
    """How often this worker ended what proves callers: what it remembers from before that does not count any more.

    Attributes:
        count: only grows.
    """

    count: int = 0

    def note(self) -> None:
        """Something was ended, and the store has it."""
        self.count += 1
