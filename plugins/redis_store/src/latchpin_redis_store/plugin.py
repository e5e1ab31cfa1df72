"""What pluggy sees: two offers named ``redis``, one connection below both, and a check."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import latchpin
from latchpin.contracts import Backend, Check, CheckContext, Context, Finding, RecordStore, StateStore
from pydantic import Field, field_validator

__all__ = ["RedisSettings", "latchpin_record_store", "latchpin_state_store"]

_FORM = (
    "must look like redis://localhost:6379/0, rediss://user:password@host:6380/0 or unix:///run/redis.sock?db=0; "
    "characters such as / # ? @ in a password are percent-encoded"
)


class RedisSettings(latchpin.Settings):
    """Where Redis is, and how long its absence at start is waited for."""

    redis_url: str = Field(
        "redis://localhost:6379/0", repr=False, description="Redis or Valkey: redis://, rediss:// (TLS) or unix://."
    )
    redis_max_retries: int = Field(3, ge=0, le=1000, description="Tries to reach Redis at start.")
    redis_retry_interval_ms: int = Field(2000, ge=0, le=600_000, description="Pause between them, milliseconds.")

    @field_validator("redis_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            place = parts.path if parts.scheme == "unix" else parts.hostname
            known = parts.scheme in {"redis", "rediss", "unix"} and (parts.port or True)
        except ValueError:
            # Its text may quote a piece of the password.
            raise ValueError(_FORM) from None
        if not known or not place or parts.fragment:
            raise ValueError(_FORM)
        if parts.scheme != "unix" and not parts.path.removeprefix("/").isdigit() and parts.path not in {"", "/"}:
            raise ValueError("must end in the number of a database, as in redis://localhost:6379/0")
        if "password" in parse_qs(parts.query):
            raise ValueError("must carry its password before the @, as in redis://:password@host:6379/0")
        return value


@asynccontextmanager
async def _open_states(settings: RedisSettings, context: Context) -> AsyncIterator[StateStore]:
    from latchpin_redis_store.connection import open_commands  # noqa: PLC0415  redis loads only when it is selected
    from latchpin_redis_store.states import RedisStateStore  # noqa: PLC0415  the same

    commands = await context.shared("redis", lambda: open_commands(settings))
    yield RedisStateStore(commands, clock=context.clock, instance_id=context.instance_id)


@asynccontextmanager
async def _open_records(settings: RedisSettings, context: Context) -> AsyncIterator[RecordStore]:
    from latchpin_redis_store.connection import open_commands  # noqa: PLC0415  redis loads only when it is selected
    from latchpin_redis_store.records import RedisRecordStore  # noqa: PLC0415  the same

    commands = await context.shared("redis", lambda: open_commands(settings))
    yield RedisRecordStore(commands, clock=context.clock, instance_id=context.instance_id)


@latchpin.hookimpl
def latchpin_state_store() -> Backend[RedisSettings, StateStore]:
    """Offer ``CACHE_TYPE=redis``."""
    return Backend("redis", "Redis", RedisSettings, _open_states)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[RedisSettings, RecordStore]:
    """Offer ``RECORD_STORE=redis``."""
    return Backend("redis", "Redis", RedisSettings, _open_records)


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer what ``latchpin doctor`` asks Redis."""
    return [Check("redis", "Stores", "Redis", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_redis_store.checks import check_redis  # noqa: PLC0415  redis loads only when it is selected

    return await check_redis(context)
