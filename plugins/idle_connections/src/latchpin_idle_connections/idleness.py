"""Dropping what nobody has used for too long.

A use is a token given out to a caller, or an authorization; a renewal in the background is none. When a connection was
last used is kept beside it, to the hour, so that using it does not cost a write each time.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from latchpin.model import CLIENT_ITSELF, StoredToken
from latchpin.sdk.gateway import Application, tell_account
from latchpin.sdk.workers import SharedTasks

from latchpin_idle_connections.facts import TOKEN_DROPPED
from latchpin_idle_connections.usage import PREFIX, name_of

__all__ = ["INTERVAL_SECONDS", "Idleness"]

_log = logging.getLogger("latchpin.tokens")

INTERVAL_SECONDS = 60.0
_SWEEPS = "idle-sweep"
SWEEP_EVERY = timedelta(hours=1)
"""So often, one of all workers looks through the connections."""


class Idleness:
    """Drops what has not been used for too long.

    Args:
        application: the gateway; it ends a connection here and at its server.
        limit: for how long a connection may go unused.
    """

    def __init__(self, application: Application, limit: timedelta) -> None:
        services = application.services
        self._records = services.records
        self._kept = services.kept
        self._activity = services.activity
        self._clock = services.clock
        self._limit = limit
        self._tokens = application.tokens
        self._dropping: SharedTasks[object, bool] = SharedTasks()

    async def sweep(self) -> int:
        """Drop what is idle, unless another worker has looked within the hour; return how many.

        A connection of which it is not known when it was used counts as used now: the setting may be new.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now, ours, kept = self._clock(), secrets.token_urlsafe(16), self._kept
        if await kept.put(_SWEEPS, ours, expires_at=now + SWEEP_EVERY) != ours:
            return 0
        used = await kept.list(PREFIX)
        try:
            count = await self._drop_unused(used, now)
        finally:
            await self._dropping.close()
        if count:
            _log.info("Dropped %d connections that nobody had used for %d days", count, self._limit.days)
        return count

    async def _drop_unused(self, used: Mapping[str, str], now: datetime) -> int:
        count = 0
        for token in await self._records.tokens.list():
            name = name_of(token.gateway_id, token.app_user_email, token.label)
            if name not in used:
                await self._kept.put(name, now.isoformat(), expires_at=now + 2 * self._limit)
            elif self._is_idle(used[name]):
                count += await self._dropping.run(object(), partial(self._drop, token, name))
        return count

    def _is_idle(self, used_at: str) -> bool:
        return datetime.fromisoformat(used_at) <= self._clock() - self._limit

    async def _drop(self, token: StoredToken, name: str) -> bool:
        gateway = await self._records.gateways.get(token.gateway_id)
        used_at = await self._kept.get(name)
        if gateway is None or used_at is None or not self._is_idle(used_at):
            return False  # it has been used, or is gone, since the look
        if await self._tokens.disconnect(gateway, token.app_user_email, token.label) is None:
            return False
        await self._kept.take(name, value=used_at)
        subject = "" if token.app_user_email == CLIENT_ITSELF else token.app_user_email
        facts = {"used": used_at[:10], **tell_account(token.label)}
        await self._activity.tell(TOKEN_DROPPED, actor=CLIENT_ITSELF, gateway_id=gateway.id, subject=subject, **facts)
        return True
