"""Pending authorizations over a bare ``KeyValue``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey
from pydantic import TypeAdapter

from latchpin_key_value.contract import KeyValue, name_of, prefix_of, remove

__all__ = ["KeyValueStateStore", "prove"]

LINGER = timedelta(seconds=60)
"""A late callback is told for so long that its state expired; afterwards the store may have forgotten it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """``pending`` until it is used; then a tombstone with the times alone."""

    expires_at: datetime
    pending: PendingAuthorization | None = None
    used_at: datetime | None = None


_ENTRY = TypeAdapter(_Entry)


class KeyValueStateStore:
    """Implements ``latchpin.contracts.StateStore``: two calls for each state that is used, one scan for ``purge``."""

    def __init__(self, store: KeyValue, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, pending: PendingAuthorization) -> None:
        """Keep ``pending``."""
        if not await self._swap(_key(pending.key), None, _Entry(pending.expires_at, pending)):
            raise StateConflict("the state was put before")

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Write the tombstone over what was read: one caller does."""
        while True:
            held = await self._store.get(_key(key))
            if held is None:
                raise StateNotFound("the store does not hold it")
            entry, now = _ENTRY.validate_json(held), self._clock()
            if entry.pending is None:
                raise StateAlreadyUsed(used_at=entry.used_at or entry.expires_at)
            if entry.expires_at <= now:
                raise StateExpired("its time was over", expired_at=entry.expires_at)
            if await self._swap(_key(key), held, _Entry(entry.expires_at, used_at=now)):
                return entry.pending

    async def purge(self, *, everything: bool = False) -> int:
        """Read all, and remove what is over."""
        now = self._clock()
        found = await self._store.scan(*prefix_of("state"))
        over = [key for key, held in found if everything or _ENTRY.validate_json(held).expires_at <= now]
        return sum([await remove(self._store, key) for key in over])

    async def check(self) -> None:
        """Prove that put and consume would work."""
        await prove(self._store)

    async def _swap(self, key: str, old: str | None, entry: _Entry) -> bool:
        new = _ENTRY.dump_json(entry).decode()
        return await self._store.swap(key, old, new, expires_at=entry.expires_at + LINGER)


def _key(key: StateKey) -> str:
    return name_of("state", key.gateway_id, key.state)


async def prove(store: KeyValue) -> None:
    """Prove that reading and writing work now.

    Raises:
        BackendUnavailable: they do not.
    """
    key, text = name_of("check"), '"works"'
    await store.swap(key, None, text)
    if await store.get(key) not in {text, None}:  # None: another process has just removed its own
        raise BackendUnavailable("the store does not give back what was written")
    await remove(store, key)
