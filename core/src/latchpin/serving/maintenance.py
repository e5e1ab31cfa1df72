"""What the gateway does on the side: expired and used states and documents are gone within a minute."""

from __future__ import annotations

import logging

from latchpin.services import Services

__all__ = ["INTERVAL_SECONDS", "purge"]

_log = logging.getLogger("latchpin.maintenance")

INTERVAL_SECONDS = 30.0


async def purge(services: Services) -> None:
    """Remove what is past its time.

    Raises:
        BackendUnavailable: a store is away.
    """
    if services.states is not None and (count := await services.states.purge()):
        _log.debug("Purged %d expired OAuth states", count)
    await services.records.purge()
