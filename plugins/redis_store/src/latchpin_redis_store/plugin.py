"""What pluggy sees: two offers named ``redis``, one connection below both, and a check."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Backend, Check, CheckContext, Context, Finding, RecordStore, StateStore

if TYPE_CHECKING:
    from latchpin_redis_store.settings import RedisSettings


__all__ = ["latchpin_record_store", "latchpin_state_store"]


@asynccontextmanager
async def _open_states(settings: RedisSettings, context: Context) -> AsyncIterator[StateStore]:
    from latchpin_redis_store.opening import open_commands  # noqa: PLC0415  redis loads only when it is selected
    from latchpin_redis_store.states import RedisStateStore  # noqa: PLC0415  the same

    commands = await context.shared("redis", lambda: open_commands(settings))
    yield RedisStateStore(commands, clock=context.clock, instance_id=context.instance_id)


@asynccontextmanager
async def _open_records(settings: RedisSettings, context: Context) -> AsyncIterator[RecordStore]:
    from latchpin_redis_store.gathering import gather_records  # noqa: PLC0415  redis loads only when it is selected
    from latchpin_redis_store.opening import open_commands  # noqa: PLC0415  the same
    from latchpin_redis_store.records import RedisRecordStore  # noqa: PLC0415  the same
    from latchpin_redis_store.upgrade import move_old_keys  # noqa: PLC0415  the same

    commands = await context.shared("redis", lambda: open_commands(settings))
    store = RedisRecordStore(commands, clock=context.clock, instance_id=context.instance_id)
    if not context.diagnostic:
        await gather_records(commands)
        await move_old_keys(store, commands)
    yield store


@latchpin.hookimpl
def latchpin_state_store() -> Backend[RedisSettings, StateStore]:
    """Offer ``CACHE_TYPE=redis``."""
    from latchpin_redis_store.settings import RedisSettings  # noqa: PLC0415  loaded when asked for

    return Backend("redis", "Redis", RedisSettings, _open_states)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[RedisSettings, RecordStore]:
    """Offer ``RECORD_STORE=redis``."""
    from latchpin_redis_store.settings import RedisSettings  # noqa: PLC0415  loaded when asked for

    return Backend("redis", "Redis", RedisSettings, _open_records)


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer what ``latchpin doctor`` asks Redis."""
    return [Check("redis", "Stores", "Redis", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_redis_store.checks import check_redis  # noqa: PLC0415  redis loads only when it is selected

    return await check_redis(context)
