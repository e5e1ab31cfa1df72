"""What a renewal writes, fenced by the token's revision: the mark before its request, and what each outcome leaves.

The outcomes and what follows from each are a table in docs/tokens.md, and a test holds the two together.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import CLIENT_ITSELF, StoredToken, TokenGrant
from latchpin.model.accounts import name_authorization
from latchpin.model.facts import FactName
from latchpin.oauth.lifetime import POSTPONED
from latchpin.services import Services
from latchpin.tokens.sealing import seal_grant

__all__ = ["begin", "keep", "spend", "tell_end"]

_log = logging.getLogger("latchpin.refresh")

KEEP_PAUSES = (0.2, 0.5, *(1.0 for _ in range(9)))
"""Seconds between tries to keep what the server has given out already. A failover of the store takes some; a lease
lives LEASE_MARGIN longer than the request, and nobody else renews meanwhile."""
KEEP_SECONDS = 12.0
"""No try begins later after the first: with the store's own deadline, this fits into that margin."""


async def begin(services: Services, stored: StoredToken) -> StoredToken:
    """Note that a renewal was begun, before anything is sent: a worker that dies leaves the mark."""
    now = services.clock()
    later = None if stored.renew_at is None else now + POSTPONED
    begun = replace(stored, revision=stored.revision + 1, refresh_begun_at=now, renew_at=later)
    await services.records.tokens.put(begun, replacing=stored)
    return begun


async def keep(services: Services, begun: StoredToken, grant: TokenGrant, *, kept_refresh: str) -> StoredToken:
    """Keep what was given out, however often the store has to be asked.

    Raises:
        RecordConflict: the token was replaced or removed meanwhile.
        BackendUnavailable: the store does not come back.
    """
    renewed = replace(begun, revision=begun.revision + 1, refresh_begun_at=None, updated_at=services.clock())
    renewed = seal_grant(services.cipher, renewed, grant, kept_refresh=kept_refresh)
    loop = asyncio.get_running_loop()
    until = loop.time() + KEEP_SECONDS
    for pause in KEEP_PAUSES:
        try:
            await _put(services, renewed, begun)
            break
        except BackendUnavailable as exc:  # the server may have rotated: what it gave must not be lost
            if loop.time() + pause > until:
                raise
            _log.warning("A renewed token cannot be kept yet: %s", exc.detail or exc.public)
            await asyncio.sleep(pause)
    else:
        await _put(services, renewed, begun)
    await _tell(services, "token.refreshed", begun)
    await tell_end(services, renewed, grant)
    return renewed


async def tell_end(services: Services, kept: StoredToken, grant: TokenGrant) -> None:
    """Tell until when a refresh token that was kept is good, where its server said so."""
    if grant.refresh_ends_at is not None:
        ends = grant.refresh_ends_at.isoformat()
        facts = {"subject": kept.app_user_email, "gateway_id": kept.gateway_id}
        await services.activity.tell(
            "grant.dated", **facts, connection=kept.id, authorization=name_authorization(kept), ends=ends
        )


async def spend(services: Services, begun: StoredToken) -> None:
    """The refresh token is of no use any more: only a new authorization helps.

    Raises:
        RecordConflict: somebody wrote a newer token meanwhile.
    """
    spent = replace(
        begun,
        revision=begun.revision + 1,
        needs_reauth=True,
        refresh_begun_at=None,
        updated_at=services.clock(),
        renew_at=None,
    )
    await services.records.tokens.put(spent, replacing=begun)
    await _tell(services, "token.spent", begun)


async def _put(services: Services, renewed: StoredToken, begun: StoredToken) -> None:
    tokens = services.records.tokens
    try:
        await tokens.put(renewed, replacing=begun)
    except RecordConflict:
        if await tokens.get(begun.gateway_id, begun.app_user_email, begun.label) != renewed:
            raise  # else an earlier try was carried out, and only its answer was lost


async def _tell(services: Services, name: FactName, begun: StoredToken) -> None:
    await services.activity.tell(name, actor=CLIENT_ITSELF, gateway_id=begun.gateway_id, subject=begun.app_user_email)
