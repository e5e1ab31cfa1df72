"""When each connection was last used, kept to the hour; see ``idleness`` for what follows from it."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import BackendUnavailable
from latchpin.sdk.gateway import name_account
from latchpin.sdk.workers import Bounded

__all__ = ["PREFIX", "Usage", "name_of"]

PREFIX = "used:"
NOTED_EVERY = timedelta(hours=1)
"""A connection that is used all the time is noted so often by each worker."""
_MOST = 50_000


class Usage:
    """Notes uses: a ``latchpin.contracts.ConnectionObserver``.

    Args:
        kept: where.
        clock: the gateway's.
        limit: for how long a connection may go unused. What is noted is kept twice as long.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock, limit: timedelta) -> None:
        self._kept = kept
        self._clock = clock
        self._limit = limit
        self._noted: Bounded[tuple[str, str, str], datetime] = Bounded(_MOST)

    async def used(self, gateway_id: str, owner: str, label: str, *, anew: bool) -> None:
        """Note that a connection is used now.

        A store that is away is told the next time: using a connection does not fail for it.
        """
        now, whose = self._clock(), (gateway_id, owner, label)
        if not anew and whose in self._noted and now < self._noted[whose] + NOTED_EVERY:
            return
        name = name_of(gateway_id, owner, label)
        with suppress(BackendUnavailable):
            await self._kept.take(name)
            await self._kept.put(name, now.isoformat(), expires_at=now + 2 * self._limit)
            self._noted[whose] = now


def name_of(gateway_id: str, owner: str, label: str) -> str:
    """Under which name the last use is kept."""
    return f"{PREFIX}{gateway_id}:{hashlib.sha256(name_account(owner, label).encode()).hexdigest()}"
