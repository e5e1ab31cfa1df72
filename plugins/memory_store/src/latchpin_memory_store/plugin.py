"""What pluggy sees: two offers named ``memory``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Backend, Context, RecordStore, StateStore

if TYPE_CHECKING:
    from latchpin_memory_store.settings import MemorySettings


__all__ = ["latchpin_record_store", "latchpin_state_store"]


@asynccontextmanager
async def _open_states(settings: MemorySettings, context: Context) -> AsyncIterator[StateStore]:  # noqa: ARG001
    from latchpin_memory_store.states import MemoryStateStore  # noqa: PLC0415  loaded when asked for

    yield MemoryStateStore(context.clock)


@asynccontextmanager
async def _open_records(settings: MemorySettings, context: Context) -> AsyncIterator[RecordStore]:  # noqa: ARG001
    from latchpin_memory_store.records import MemoryRecordStore  # noqa: PLC0415  loaded when asked for

    yield MemoryRecordStore(context.clock)


@latchpin.hookimpl
def latchpin_state_store() -> Backend[MemorySettings, StateStore]:
    """Offer ``CACHE_TYPE=memory``."""
    from latchpin_memory_store.settings import MemorySettings  # noqa: PLC0415  loaded when asked for

    return Backend("memory", "memory", MemorySettings, _open_states, shared=False)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[MemorySettings, RecordStore]:
    """Offer ``RECORD_STORE=memory``."""
    from latchpin_memory_store.settings import MemorySettings  # noqa: PLC0415  loaded when asked for

    return Backend("memory", "memory", MemorySettings, _open_records, shared=False)
