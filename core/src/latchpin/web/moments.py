"""Times in words, as people say them; the exact time stays beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["TimeShown"]

_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


@dataclass(frozen=True, slots=True)
class TimeShown:
    """A point in time as a page shows it.

    Attributes:
        iso: exact, for programs.
        exact: exact, for people, in UTC.
        words: how far from now.
    """

    iso: str
    exact: str
    words: str

    @classmethod
    def of(cls, time: datetime, now: datetime) -> TimeShown:
        """``time`` as seen from ``now``."""
        return cls(time.isoformat(timespec="seconds"), f"{time:%Y-%m-%d %H:%M:%S} UTC", _words(time - now))


def _words(distance: timedelta) -> str:
    size = abs(distance)
    for unit, name in _UNITS:
        if size >= unit:
            count = size // unit
            text = f"{count} {name}{'' if count == 1 else 's'}"
            return f"in {text}" if distance > timedelta(0) else f"{text} ago"
    return "in less than a minute" if distance > timedelta(0) else "just now"
