"""What pluggy sees: two offers named ``memory``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import latchpin
from latchpin.contracts import Backend, Context, RecordStore, StateStore

from latchpin_memory_store.records import MemoryRecordStore
from latchpin_memory_store.states import MemoryStateStore

__all__ = ["MemorySettings", "latchpin_record_store", "latchpin_state_store"]


class MemorySettings(latchpin.Settings):
    """Memory has nothing to set."""


@asynccontextmanager
async def _open_states(settings: MemorySettings, context: Context) -> AsyncIterator[StateStore]:  # noqa: ARG001
    yield MemoryStateStore(context.clock)


@asynccontextmanager
async def _open_records(settings: MemorySettings, context: Context) -> AsyncIterator[RecordStore]:  # noqa: ARG001
    yield MemoryRecordStore(context.clock)


@latchpin.hookimpl
def latchpin_state_store() -> Backend[MemorySettings, StateStore]:
    """Offer ``CACHE_TYPE=memory``."""
    return Backend("memory", "memory", MemorySettings, _open_states, shared=False)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[MemorySettings, RecordStore]:
    """Offer ``RECORD_STORE=memory``."""
    return Backend("memory", "memory", MemorySettings, _open_records, shared=False)
