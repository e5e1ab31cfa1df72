"""What serving processes do about the ring on the side: nobody has to wait at a terminal for a rotation to end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Context, Instance
from latchpin.errors import Conflict, LatchpinError, RecordConflict
from latchpin.sdk.assembly import list_instances

from latchpin_key_ring.live import SEALING, LiveRing, live_ring
from latchpin_key_ring.resealing import Outcome, reseal_rows
from latchpin_key_ring.rotating import announce, promote, wrap_anew
from latchpin_key_ring.settings import KeyRingSettings

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["SECONDS", "Tending", "count_strangers", "strangers"]

_log = logging.getLogger("latchpin.keys")

SECONDS = 5.0
_SEALED_UNDER = "key-ring:sealed-under"
_AGAIN = timedelta(minutes=10)
"""After this, rows that could not be sealed anew are looked at again."""


async def strangers(application: Application) -> int:
    """How many serving processes have another AUTH_ENCRYPTION_SECRET as today's than this one."""
    services = application.services
    return count_strangers(services.context, await list_instances(services.kept, services.clock))


def count_strangers(context: Context, instances: Iterable[Instance]) -> int:
    """How many of ``instances`` have another AUTH_ENCRYPTION_SECRET as today's than this process."""
    ours = context.own_keys(SEALING)[0].id
    return sum(each.facts.get("sealing_key") != ours for each in instances)


class Tending:
    """One turn after another: makes the announced key today's, wraps anew, makes a new key in time, seals anew.

    Args:
        settings: how often a new key is made, and whether everything is then sealed anew.
    """

    def __init__(self, settings: KeyRingSettings) -> None:
        self._settings = settings

    async def turn(self, application: Application) -> None:
        """Do what is due. Several workers may: of two that do the same, one is refused, and looks again later."""
        context = application.services.context
        live = await live_ring(context)
        if live.ring is None:
            return
        with suppress(RecordConflict):
            if live.ring.announced is not None:
                await promote(live, context)
            elif not await self._rotate(application, live) and not await strangers(application):
                await wrap_anew(live)
        if self._settings.key_ring_reseal and live.ring is not None and live.ring.current is not None:
            with suppress(Conflict):
                await self._reseal(application)

    async def _rotate(self, application: Application, live: LiveRing) -> bool:
        days, current = self._settings.key_ring_days, None if live.ring is None else live.ring.current
        now = application.services.clock()
        if not days or current is None or now < current.since + timedelta(days=days):
            return False
        try:
            await announce(live, application.services.context)
        except LatchpinError as exc:
            if isinstance(exc, RecordConflict):
                raise
            _log.warning("No new key could be made (%s); today's stays in use", exc.detail or exc.public)
            return False
        return True

    async def _reseal(self, application: Application) -> None:
        services = application.services
        todays = services.cipher.key_id
        if await services.kept.get(_SEALED_UNDER) == todays:
            return
        outcome = await reseal_rows(application, tell=_silent)
        if services.cipher.key_id != todays:
            return
        await services.kept.take(_SEALED_UNDER)
        through = not (outcome.busy or outcome.left or outcome.closed)
        end = None if through else services.clock() + _AGAIN
        await services.kept.put(_SEALED_UNDER, todays, expires_at=end)
        if outcome.done:
            _log.info("Sealed %d rows anew under key %s", outcome.done, todays)


async def _silent(_outcome: Outcome) -> None:
    """Nobody looks."""
