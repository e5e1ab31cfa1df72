"""Pending authorizations in a dictionary."""

from collections.abc import Callable
from datetime import datetime

from latchpin.errors import StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey


class LedgerStates:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._pending: dict[StateKey, PendingAuthorization] = {}
        self._used: dict[StateKey, tuple[datetime, datetime]] = {}

    async def put(self, pending: PendingAuthorization) -> None:
        if pending.key in self._pending or pending.key in self._used:
            raise StateConflict("it is there")
        self._pending[pending.key] = pending

    async def consume(self, key: StateKey) -> PendingAuthorization:
        if key in self._used:
            raise StateAlreadyUsed(used_at=self._used[key][0])
        if key not in self._pending:
            raise StateNotFound("the ledger does not have it")
        pending = self._pending[key]
        if pending.expires_at <= self._clock():
            raise StateExpired("it is too old", expired_at=pending.expires_at)
        del self._pending[key]
        self._used[key] = self._clock(), pending.expires_at
        return pending

    async def purge(self, *, everything: bool = False) -> int:
        ends = {key: each.expires_at for key, each in self._pending.items()}
        ends |= {key: expires_at for key, (_, expires_at) in self._used.items()}
        gone = [key for key, expires_at in ends.items() if everything or expires_at <= self._clock()]
        for key in gone:
            self._pending.pop(key, None)
            self._used.pop(key, None)
        return len(gone)

    async def check(self) -> None:
        """It always works."""
