"""Connections that nobody uses are dropped after a time that is set (``IDLE_CONNECTION_DAYS``).

What is not there, nobody can steal.
A use is a token given out to a caller, or an authorization; a renewal in the background is none. When a connection was
last used is kept beside it, to the hour, so that using it does not cost a write each time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

from latchpin.errors import LatchpinError
from latchpin.model import CLIENT_ITSELF, StoredToken
from latchpin.services import Services
from latchpin.tokens.service import TokenService
from latchpin.tokens.usage import PREFIX, name_of
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Idleness", "dropped_when_idle"]

_log = logging.getLogger("latchpin.tokens")

INTERVAL_SECONDS = 60.0
_SWEEPS = "idle-sweep"
SWEEP_EVERY = timedelta(hours=1)
"""So often, one of all workers looks through the connections."""


class Idleness:
    """Drops what has not been used for too long.

    Args:
        services: the gateway's services.
        keeper: ends a connection here and at its server.
        pause: waits that many seconds.
    """

    def __init__(
        self,
        services: Services,
        token_service: TokenService,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._records = services.records
        self._kept = services.kept
        self._activity = services.activity
        self._clock = services.clock
        self._limit = timedelta(days=services.settings.idle_connection_days)
        self._token_service = token_service
        self._pause = pause
        self._dropping: SharedTasks[object, bool] = SharedTasks()

    async def run(self) -> None:
        """Work until cancelled; a store that is away is tried again the next time."""
        while True:
            await self._pause(INTERVAL_SECONDS)
            try:
                await self.sweep()
            except LatchpinError as exc:
                _log.warning("Looking for idle connections failed: %s", exc.detail or exc.public)
            except Exception:  # noqa: BLE001  the loop must live; whatever it was is logged
                _log.exception("Looking for idle connections failed")

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
        count = 0
        for token in await self._records.tokens.list():
            name = name_of(token.gateway_id, token.app_user_email)
            if name not in used:
                await kept.put(name, now.isoformat(), expires_at=now + 2 * self._limit)
            elif self._is_idle(used[name]):
                count += await self._dropping.run(object(), partial(self._drop, token, name))
        if count:
            _log.info("Dropped %d connections that nobody had used for %d days", count, self._limit.days)
        return count

    async def close(self) -> None:
        """Let what is under way end."""
        await self._dropping.close()

    def _is_idle(self, used_at: str) -> bool:
        return datetime.fromisoformat(used_at) <= self._clock() - self._limit

    async def _drop(self, token: StoredToken, name: str) -> bool:
        gateway = await self._records.gateways.get(token.gateway_id)
        used_at = await self._kept.get(name)
        if gateway is None or used_at is None or not self._is_idle(used_at):
            return False  # it has been used, or is gone, since the look
        if await self._token_service.disconnect(gateway, token.app_user_email) is None:
            return False
        await self._kept.take(name, value=used_at)
        subject = "" if token.app_user_email == CLIENT_ITSELF else token.app_user_email
        await self._activity.tell(
            "token.dropped", actor=CLIENT_ITSELF, gateway_id=gateway.id, subject=subject, used=used_at[:10]
        )
        return True


@asynccontextmanager
async def dropped_when_idle(services: Services, token_service: TokenService) -> AsyncIterator[None]:
    """Drop in the background while the body runs, if IDLE_CONNECTION_DAYS says so."""
    if not services.settings.idle_connection_days:
        yield
        return
    idleness = Idleness(services, token_service)
    task = asyncio.create_task(idleness.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await idleness.close()
