"""When each connection was last used, kept to the hour; see ``idleness`` for what follows from it."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import BackendUnavailable
from latchpin.model.accounts import name_account
from latchpin.workers.bounded import Bounded

__all__ = ["PREFIX", "Usage", "name_of"]

PREFIX = "used:"
NOTED_EVERY = timedelta(hours=1)
"""A connection that is used all the time is noted so often by each worker."""
_MOST = 50_000


class Usage:
    """Notes uses.

    Args:
        kept: where.
        clock: the gateway's.
        limit: for how long a connection may go unused; zero: nothing is noted.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock, limit: timedelta) -> None:
        self._kept = kept
        self._clock = clock
        self._limit = limit
        self._noted: Bounded[tuple[str, str, str], datetime] = Bounded(_MOST)

    async def note(self, gateway_id: str, email: str, label: str = "", *, anew: bool = False) -> None:
        """Note that somebody's connection is used now; ``anew``, that it has just been made.

        A store that is away is told the next time: using a connection does not fail for it.
        """
        now, whose = self._clock(), (gateway_id, email, label)
        if not self._limit or (not anew and whose in self._noted and now < self._noted[whose] + NOTED_EVERY):
            return
        name = name_of(gateway_id, email, label)
        with suppress(BackendUnavailable):
            await self._kept.take(name)
            await self._kept.put(name, now.isoformat(), expires_at=now + 2 * self._limit)
            self._noted[whose] = now


def name_of(gateway_id: str, email: str, label: str) -> str:
    """Under which name the last use is kept."""
    return f"{PREFIX}{gateway_id}:{hashlib.sha256(name_account(email, label).encode()).hexdigest()}"
