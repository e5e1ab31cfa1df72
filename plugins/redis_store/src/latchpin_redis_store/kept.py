"""Small kept values on Redis: ``{"expires_at": ..., "value": ...}`` under ``latchpin:kept:{name}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from latchpin.contracts import Clock

from latchpin_redis_store.codec import foreign, life_ms, text_of, to_json
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.scripts import KEEP, TAKE

__all__ = ["RedisKept"]

_SPECIAL = re.compile(r"[\\\[\]*?^-]")
"""What a pattern of SCAN understands as more than itself."""

NEVER = "never"
"""Stands where there is no end; as text it is greater than every time."""


def _key(name: str) -> str:
    return f"latchpin:kept:{name}"


def _ending(value: str) -> str:
    return f'"value":{to_json(value)}}}'


class RedisKept:
    """Implements ``latchpin.contracts.KeptRecords``."""

    def __init__(self, commands: Commands, clock: Clock) -> None:
        self._ask = commands.ask
        self._run = commands.run
        self._clock = clock

    async def put(self, name: str, value: str, *, expires_at: datetime | None = None) -> str:
        """Keep ``value`` unless an unexpired one stands; return the one that stands."""
        now = self._clock()
        end, life = (NEVER, "") if expires_at is None else (text_of(expires_at), str(life_ms(expires_at, now)))
        text = f'{{"expires_at":"{end}",{_ending(value)}'
        return _load(await self._run(KEEP, [_key(name)], text_of(now), text, life), name)[1]

    async def get(self, name: str) -> str | None:
        """Look. None if there is none or it expired."""
        text = await self._ask("GET", _key(name))
        if text is None:
            return None
        end, value = _load(text, name)
        return value if end > text_of(self._clock()) else None

    async def list(self, prefix: str) -> Mapping[str, str]:
        """Those whose name begins with ``prefix``. It goes through all keys."""
        pattern = _key(_SPECIAL.sub(r"\\\g<0>", prefix)) + "*"
        found: set[bytes] = set()
        cursor = 0
        while True:
            cursor, keys = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            cursor = int(cursor)
            found.update(keys)
            if not cursor:
                break
        names = [key.decode().removeprefix(_key("")) for key in found]
        values = [await self.get(name) for name in names]
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        """Remove and return it; with ``value``, only if it is that."""
        ending = "" if value is None else _ending(value)
        text = await self._run(TAKE, [_key(name)], text_of(self._clock()), ending)
        return None if text is None else _load(text, name)[1]


def _load(text: bytes, name: str) -> tuple[str, str]:
    try:
        held = json.loads(text)
        return str(held["expires_at"]), str(held["value"])
    except (ValueError, TypeError, KeyError) as exc:
        raise foreign(_key(name), exc) from exc
