"""What Latchpin finds through the entry point: one offer and its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import latchpin
from latchpin.contracts import Backend, Context, StateStore
from pydantic import Field

from acme_file_store.store import FileStateStore


class AcmeSettings(latchpin.Settings):
    """Where the states are."""

    acme_file: Path = Field(Path("acme-states.db"), description="File for pending authorizations.")


@asynccontextmanager
async def _open(settings: AcmeSettings, context: Context) -> AsyncIterator[StateStore]:
    store = FileStateStore(settings.acme_file, context.clock)
    await store.check()
    yield store


@latchpin.hookimpl
def latchpin_state_store() -> Backend[AcmeSettings, StateStore]:
    """Offer ``CACHE_TYPE=acme-file``."""
    return Backend("acme-file", "ACME file", AcmeSettings, _open)
