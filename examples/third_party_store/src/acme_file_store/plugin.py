"""What Latchpin finds through the entry point: two offers and their settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import latchpin
from latchpin.contracts import Backend, Context, RecordStore, StateStore
from latchpin_key_value import KeyValueRecordStore, KeyValueStateStore
from pydantic import Field

from acme_file_store.store import FileKeyValue

LATCHPIN_HOOK_API = "1.0"


class AcmeSettings(latchpin.Settings):
    """Where everything is."""

    acme_file: Path = Field(Path("acme.db"), description="File for authorizations and what must last.")


@asynccontextmanager
async def _open_states(settings: AcmeSettings, context: Context) -> AsyncIterator[StateStore]:
    store = KeyValueStateStore(FileKeyValue(settings.acme_file), context.clock)
    await store.check()
    yield store


@asynccontextmanager
async def _open_records(settings: AcmeSettings, context: Context) -> AsyncIterator[RecordStore]:
    store = KeyValueRecordStore(FileKeyValue(settings.acme_file), context.clock)
    await store.check()
    yield store


@latchpin.hookimpl
def latchpin_state_store() -> Backend[AcmeSettings, StateStore]:
    """Offer ``CACHE_TYPE=acme-file``."""
    return Backend("acme-file", "ACME file", AcmeSettings, _open_states)


@latchpin.hookimpl
def latchpin_record_store() -> Backend[AcmeSettings, RecordStore]:
    """Offer ``RECORD_STORE=acme-file``."""
    return Backend("acme-file", "ACME file", AcmeSettings, _open_records)
