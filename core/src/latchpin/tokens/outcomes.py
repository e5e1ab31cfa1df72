"""What a renewal writes: the mark before its request, and what each outcome leaves behind.

The outcomes and what follows from each are a table in docs/tokens.md, and a test holds the two together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import CLIENT_ITSELF, StoredToken, TokenGrant
from latchpin.model.facts import FactName
from latchpin.oauth.lifetime import POSTPONED
from latchpin.services import Services
from latchpin.tokens.sealing import seal_grant

__all__ = ["Outcomes"]

_log = logging.getLogger("latchpin.refresh")

KEEP_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to keep what the server has given out already; with the store's own deadlines they fit into
what a lease lives longer than the request."""

Pause = Callable[[float], Awaitable[object]]


class Outcomes:
    """Writes them, each fenced by the token's revision.

    Args:
        services: the gateway's services.
        pause: waits that many seconds; tests give one that does not.
    """

    def __init__(self, services: Services, *, pause: Pause = asyncio.sleep) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._pause = pause

    async def begin(self, stored: StoredToken) -> StoredToken:
        """Note that it was begun, before anything is sent: a worker that dies leaves the mark."""
        now = self._services.clock()
        later = None if stored.renew_at is None else now + POSTPONED
        begun = replace(stored, revision=stored.revision + 1, refresh_begun_at=now, renew_at=later)
        await self._tokens.put(begun, replacing=stored)
        return begun

    async def keep(self, begun: StoredToken, grant: TokenGrant, *, kept_refresh: str) -> StoredToken:
        """Keep what was given out, however often the store has to be asked.

        Raises:
            RecordConflict: the token was replaced or removed meanwhile.
            BackendUnavailable: the store does not come back.
        """
        renewed = replace(begun, revision=begun.revision + 1, refresh_begun_at=None, updated_at=self._services.clock())
        renewed = seal_grant(self._services.cipher, renewed, grant, kept_refresh=kept_refresh)
        for pause in KEEP_PAUSES:
            try:
                await self._put(renewed, begun)
                break
            except BackendUnavailable as exc:  # the server may have rotated: what it gave must not be lost
                _log.warning("A renewed token cannot be kept yet: %s", exc.detail or exc.public)
                await self._pause(pause)
        else:
            await self._put(renewed, begun)
        await self._tell("token.refreshed", begun)
        return renewed

    async def spend(self, begun: StoredToken) -> None:
        """``invalid_grant``: only a new authorization helps.

        Raises:
            RecordConflict: somebody wrote a newer token meanwhile.
        """
        spent = replace(
            begun,
            revision=begun.revision + 1,
            needs_reauth=True,
            refresh_begun_at=None,
            updated_at=self._services.clock(),
            renew_at=None,
        )
        await self._tokens.put(spent, replacing=begun)
        await self._tell("token.spent", begun)

    async def _put(self, renewed: StoredToken, begun: StoredToken) -> None:
        try:
            await self._tokens.put(renewed, replacing=begun)
        except RecordConflict:
            if await self._tokens.get(begun.gateway_id, begun.app_user_email) != renewed:
                raise  # else an earlier try was carried out, and only its answer was lost

    async def _tell(self, name: FactName, begun: StoredToken) -> None:
        await self._services.activity.tell(
            name, actor=CLIENT_ITSELF, gateway_id=begun.gateway_id, subject=begun.app_user_email
        )
