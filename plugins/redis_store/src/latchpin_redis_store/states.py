"""Pending authorizations under ``oauth:state:{gateway_id}:{state}``."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock, StoreFacts
from latchpin.errors import BackendUnavailable, StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey

from latchpin_redis_store.codec import dump_state, foreign, life_ms, load_state, text_of
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.eviction import check_keeps
from latchpin_redis_store.origin import read_facts
from latchpin_redis_store.scripts import CONSUME, PUT_STATE

__all__ = ["RedisStateStore"]

PREFIX = "oauth:state:"
PROBE_MS = 5000


class RedisStateStore:
    """Implements ``latchpin.contracts.StateStore``.

    Redis removes each key a minute after its ``expires_at``, used or not, so nothing has to be swept.
    """

    def __init__(self, commands: Commands, *, clock: Clock, instance_id: str) -> None:
        self._commands = commands
        self._clock = clock
        self._probe = f"{PREFIX}check:{instance_id}"

    async def put(self, pending: PendingAuthorization) -> None:
        """Keep ``pending``.

        Raises:
            StateConflict: the state exists already, used or not.
            BackendUnavailable: nothing is known to be kept.
        """
        life = life_ms(pending.expires_at, self._clock())
        if not await self._commands.run(PUT_STATE, [_key_of(pending.key)], dump_state(pending), life):
            raise StateConflict(f"the state was put before for gateway {pending.key.gateway_id}")

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Take the authorization once.

        Raises:
            StateAlreadyUsed: somebody consumed it before.
            StateExpired: its ``expires_at`` is not in the future.
            StateNotFound: Redis does not hold it.
            BackendUnavailable: no answer. The state is not used, but for a lost answer, and will not be later.
        """
        now = self._clock()
        text = await self._commands.run(CONSUME, [_key_of(key)], text_of(now))
        if text is None:
            raise StateNotFound("Redis does not hold it")
        try:
            return _taken(json.loads(text), key, now)
        except (KeyError, TypeError, ValueError) as exc:
            raise foreign(f"{PREFIX}{key.gateway_id}:...", exc) from exc

    async def purge(self, *, everything: bool = False) -> int:
        """With ``everything``, remove all and return how many; else 0, for Redis removes by itself."""
        if not everything:
            return 0
        removed = 0
        async for keys in self._commands.scan(f"{PREFIX}*"):
            removed += sum(await self._commands.ask_all([("UNLINK", key) for key in keys]))
        return removed

    async def check(self) -> None:
        """Put a probe, consume it, remove it.

        Raises:
            BackendUnavailable: one of these does not work: Redis is away, a read-only replica, out of memory,
                or does not allow us the command. Or it may evict what it is given.
        """
        end = text_of(self._clock() + timedelta(milliseconds=PROBE_MS))
        probe = f'{{"used":false,"expires_at":"{end}"}}'
        put, taken, _ = await asyncio.gather(
            self._commands.ask("SET", self._probe, probe, "PX", PROBE_MS),
            self._commands.run(CONSUME, [self._probe], text_of(self._clock())),
            self._commands.ask("UNLINK", self._probe),
        )
        if not put or taken != probe.encode():
            raise BackendUnavailable("Redis did not give back what was put")
        await check_keeps(self._commands)

    async def facts(self) -> StoreFacts:
        """Tell what these data are called and since when, what time Redis has, and what it evicted."""
        return await read_facts(self._commands, self._clock)


def _key_of(key: StateKey) -> str:
    return f"{PREFIX}{key.gateway_id}:{key.state}"


def _taken(held: dict[str, Any], key: StateKey, now: datetime) -> PendingAuthorization:
    """What the script's answer means: its rule for a live state is repeated here."""
    if held["used"]:
        raise StateAlreadyUsed(used_at=datetime.fromisoformat(held["used_at"]))
    expires_at = datetime.fromisoformat(held["expires_at"])
    if expires_at <= now:
        raise StateExpired("its time was over", expired_at=expires_at)
    return load_state(held, key.state)
