"""The gateway's clock: that of the store which its workers share, where the store tells what time it is."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Clock, StateStore, StoreDiagnostics
from latchpin.errors import LatchpinError

__all__ = ["StoreClock", "utc_now"]

_log = logging.getLogger("latchpin.clock")

TOLERATED = timedelta(seconds=1)
"""Clocks that are set by NTP differ by less; what is measured is not more exact than its question took."""


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class StoreClock:
    """The time by the store's clock.

    Leases, one-time links and tokens end at times that workers write for each other. If one machine's clock is wrong,
    its worker would take a lease that another holds, or give one that is over at once. So all go by one clock.

    Args:
        own: this machine's.
    """

    def __init__(self, own: Clock = utc_now) -> None:
        self._own = own
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """The time in UTC."""
        return self._own() + self._ahead if self._ahead else self._own()

    async def follow(self, states: StateStore | None) -> None:
        """Ask the store what time it is; one that is away or does not tell changes nothing."""
        if not isinstance(states, StoreDiagnostics):
            return
        before = self._own()
        with suppress(LatchpinError):
            theirs, after = (await states.facts()).now, self._own()
            if theirs is not None:
                self._set(theirs - (before + (after - before) / 2), unsure=(after - before) / 2)

    def _set(self, ahead: timedelta, *, unsure: timedelta) -> None:
        if abs(ahead - self._ahead) <= TOLERATED + unsure:
            return
        self._ahead = ahead
        if abs(ahead) <= TOLERATED + unsure:
            _log.info("This machine's clock agrees with the store's again")
            return
        seconds = ahead.total_seconds()
        side = "behind" if seconds > 0 else "ahead of"
        _log.warning("This machine's clock is %.1f s %s the store's, which counts: set it by NTP", abs(seconds), side)
