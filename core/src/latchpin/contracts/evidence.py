"""What a state store can tell about itself when a state is missing. Optional: without it the general cause stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

__all__ = ["StoreFacts", "StoreDiagnostics"]


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A state store's account of itself.

    Attributes:
        name: names the data that it works on: random, made once, kept beside the states, the same for every process
            that shares them, and gone when the store is emptied or replaced; ``""`` if it may not keep one.
        since: when that name was made.
        now: the store's own clock; None where it has none but this process's.
        evictions: one phrase on what it threw away to make room; ``""`` if it throws nothing away, or has not so far.
    """

    name: str
    since: datetime
    now: datetime | None = None
    evictions: str = ""


@runtime_checkable
class StoreDiagnostics(Protocol):
    """A state store that may be asked: at most twice a minute while all is well, and whenever a state is missing."""

    async def facts(self) -> StoreFacts:
        """Tell.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
