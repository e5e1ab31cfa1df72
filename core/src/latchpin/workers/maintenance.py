"""What the gateway does on the side: expired and used states, and old flows, are gone within a minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from latchpin.errors import LatchpinError
from latchpin.journal.history import MOST_FLOWS
from latchpin.services import Services

__all__ = ["maintained"]

_log = logging.getLogger("latchpin.maintenance")

INTERVAL_SECONDS = 30.0


@asynccontextmanager
async def maintained(services: Services) -> AsyncIterator[None]:
    """Purge in the background while the body runs."""
    task = asyncio.create_task(_purge_forever(services))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _purge_forever(services: Services) -> None:
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        await purge(services)


async def purge(services: Services) -> None:
    """Remove what is past its time; a store that is away is tried again the next time."""
    try:
        if services.states is not None and (count := await services.states.purge()):
            _log.debug("Purged %d expired OAuth states", count)
        await services.records.purge()
        before = services.clock() - timedelta(hours=services.settings.flow_history_hours)
        await services.records.flows.purge(before=before, most=MOST_FLOWS)
    except LatchpinError as exc:
        _log.warning("Purging expired states failed: %s", exc.detail or exc.public)
    except Exception:  # noqa: BLE001  the loop must live; whatever it was is logged
        _log.exception("Purging expired states failed")
