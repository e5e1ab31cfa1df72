"""What the gateway does on the side: expired and used states, and old flows, are gone within a minute."""

from __future__ import annotations

import logging
from datetime import timedelta

from latchpin.activity.history import MOST_FLOWS
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
    before = services.clock() - timedelta(hours=services.settings.flow_history_hours)
    await services.flows.purge(before=before, most=MOST_FLOWS)
