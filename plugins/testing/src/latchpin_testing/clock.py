"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["START", "MovedClock"]

START = datetime(2031, 3, 14, 15, 9, 26, 535_897, tzinfo=UTC)
"""Where a ``MovedClock`` begins: in the future of the machine, with microseconds, so that neither is lost unseen."""


class MovedClock:
    """A ``latchpin.contracts.Clock`` that only ``advance`` moves."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The current time, aware and in UTC."""
        return self._now

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward by ``duration``."""
        self._now += duration
