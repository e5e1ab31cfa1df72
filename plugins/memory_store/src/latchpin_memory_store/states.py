"""Pending authorizations in a dictionary. Every method runs without a pause, which makes it atomic in its process."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Clock, StoreFacts
from latchpin.errors import BackendUnavailable, StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey

__all__ = ["MemoryStateStore"]

LIMIT = 100_000
LINGER = timedelta(seconds=60)
"""How long an expired state may stay so that a late callback is told "expired" rather than "unknown"."""


@dataclass(frozen=True, slots=True)
class _Used:
    """The tombstone of a state: nothing of it but the times."""

    used_at: datetime
    expires_at: datetime


class MemoryStateStore:
    """Implements ``latchpin.contracts.StateStore``.

    It holds at most ``limit`` states, used ones included (some 100 MB at 100,000), and refuses more until
    older ones expire. There is no background task: each put drops what expired a minute ago or earlier.
    """

    def __init__(self, clock: Clock, *, limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._entries: dict[StateKey, PendingAuthorization | _Used] = {}
        self._facts = StoreFacts(secrets.token_hex(8), clock())

    async def put(self, pending: PendingAuthorization) -> None:
        """Keep ``pending``.

        Raises:
            StateConflict: the state exists already.
            BackendUnavailable: the store is full.
        """
        self._drop_oldest(self._clock() - LINGER)
        if pending.key in self._entries:
            raise StateConflict(f"the state was put before for gateway {pending.key.gateway_id}")
        await self.check()
        self._entries[pending.key] = pending

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Take the authorization once.

        Raises:
            StateAlreadyUsed: somebody consumed it before.
            StateExpired: its ``expires_at`` is not in the future.
            StateNotFound: this process does not know it.
        """
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None:
            raise StateNotFound("this process's memory does not hold it")
        if isinstance(entry, _Used):
            raise StateAlreadyUsed(used_at=entry.used_at)
        if entry.expires_at <= now:
            raise StateExpired("its time was over", expired_at=entry.expires_at)
        self._entries[key] = _Used(now, entry.expires_at)
        return entry

    async def purge(self, *, everything: bool = False) -> int:
        """Remove what has expired, or all. Return how many."""
        before = len(self._entries)
        now = self._clock()
        self._entries = {} if everything else {k: entry for k, entry in self._entries.items() if entry.expires_at > now}
        return before - len(self._entries)

    async def check(self) -> None:
        """Raise BackendUnavailable if no more states can be put."""
        if len(self._entries) >= self._limit:
            raise BackendUnavailable(
                f"the memory store is full: {self._limit} authorizations were begun and have not expired",
                remedy="Wait until some expire, or set CACHE_TYPE=redis or database.",
            )

    async def facts(self) -> StoreFacts:
        """Tell what this memory is called, and since when it is there."""
        return self._facts

    def _drop_oldest(self, end: datetime) -> None:
        """Drop from the front what expired before ``end``: entries stand in the order of their making."""
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key].expires_at > end:
                return
            del self._entries[key]
