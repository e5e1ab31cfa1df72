"""What Latchpin finds through the entry point: one offer and its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import latchpin
from latchpin.contracts import Backend, Context, StateStore
from pydantic import Field

from acme_file_store.store import FileStateStore


class AcmeSettings(latchpin.Settings):
    """Where the files are."""

    acme_folder: Path = Field(Path("acme-states"), description="Folder for pending authorizations.")


@asynccontextmanager
async def _open(settings: AcmeSettings, context: Context) -> AsyncIterator[StateStore]:
    settings.acme_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield FileStateStore(settings.acme_folder, context.clock)


@latchpin.hookimpl
def latchpin_state_store() -> Backend[AcmeSettings, StateStore]:
    """Offer ``CACHE_TYPE=acme-files``."""
    return Backend("acme-files", "ACME files", AcmeSettings, _open)
