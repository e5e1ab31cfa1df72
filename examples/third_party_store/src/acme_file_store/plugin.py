"""What Latchpin finds through the entry point: two offers. What they need is imported when it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Backend, Context, RecordStore, StateStore

if TYPE_CHECKING:
    from acme_file_store.settings import AcmeSettings

LATCHPIN_HOOK_API = "1.0"


@asynccontextmanager
async def _open_states(settings: AcmeSettings, context: Context) -> AsyncIterator[StateStore]:
    from latchpin_key_value import KeyValueStateStore

    from acme_file_store.store import FileKeyValue

    store = KeyValueStateStore(FileKeyValue(settings.acme_file), context.clock)
    await store.check()
    yield store


@asynccontextmanager
async def _open_records(settings: AcmeSettings, context: Context) -> AsyncIterator[RecordStore]:
    from latchpin_key_value import KeyValueRecordStore

    from acme_file_store.store import FileKeyValue

    store = KeyValueRecordStore(FileKeyValue(settings.acme_file), context.clock)
    await store.check()
    yield store


@latchpin.hookimpl
def latchpin_state_store() -> Backend[AcmeSettings, StateStore]:
    """Offer ``CACHE_TYPE=acme-file``."""
    from acme_file_store.settings import AcmeSettings

    return Backend("acme-file", "ACME file", AcmeSettings, _open_states)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[AcmeSettings, RecordStore]:
    """Offer ``RECORD_STORE=acme-file``."""
    from acme_file_store.settings import AcmeSettings

    return Backend("acme-file", "ACME file", AcmeSettings, _open_records)
