"""Renewing tokens in the background before they expire, so that nobody has to wait for it.

Every worker looks every few seconds for tokens that are due; when that is, was chosen when the token was sealed. A
worker needs two leases to renew one: one of ten places at the token's issuer, which all workers share, and the token's
own. What the background cannot do is put off, and is done when somebody uses the token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.errors import (
    AuthorizationRequired,
    BackendUnavailable,
    LatchpinError,
    NotFound,
    RecordConflict,
    UpstreamUnreachable,
    UpstreamUnreadable,
)
from latchpin.model import COMPANY, Caller, Gateway, StoredToken

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["AT_ONCE", "INTERVAL_SECONDS", "POSTPONED", "RefreshAhead", "refresh_due"]

_log = logging.getLogger("latchpin.refresh_ahead")

AT_ONCE = 10
"""Renewals under way at one issuer, of all workers together."""
MOST = 500
"""How many due tokens one look brings."""
INTERVAL_SECONDS = 10.0
"""Between two looks of one worker, on average: workers that start together must not look together."""

POSTPONED = timedelta(minutes=5)
"""How long a token is left alone once a renewal of it could not be."""
MARGIN = timedelta(seconds=15)
"""What a lease lives longer than the requests that are made under it: clocks of machines may differ by this much."""


async def refresh_due(application: Application) -> None:
    """Renew what is due now. What is under way when this is cancelled goes on, and the gateway waits for it."""
    working = RefreshAhead(application)
    while await working.work_off():
        pass


@dataclass(slots=True)
class _Pile:
    """The due tokens of one issuer, taken from by several hands.

    Attributes:
        silent: the issuer gave no answer; its other tokens are put off.
        done: how many were dealt with.
    """

    issuer: str
    tokens: Iterator[StoredToken]
    silent: bool = False
    done: int = 0


class RefreshAhead:
    """Renews what is due.

    Args:
        application: the gateway.
    """

    def __init__(self, application: Application) -> None:
        services = application.services
        self._application = application
        self._stored = services.records.tokens
        self._clock = services.clock
        self._leases = services.leases
        # Finding the server and asking it may take a whole deadline each.
        self._life = 2 * timedelta(seconds=services.settings.oauth_request_timeout) + MARGIN

    async def work_off(self) -> bool:
        """Deal with what is due now; say whether to look again at once.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        due = await self._stored.list_due(self._clock(), limit=MOST)
        piles = _pile_up(due)
        hands = [self._take_turns(pile) for pile, size in piles for _ in range(min(AT_ONCE, size))]
        for outcome in await asyncio.gather(*hands, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return len(due) == MOST and any(pile.done for pile, _ in piles)

    async def _take_turns(self, pile: _Pile) -> None:
        """One hand: take a place at the issuer, renew the next token, give the place back."""
        for token in pile.tokens:
            if pile.silent:
                await self._put_off(token)
                continue
            async with self._leases.hold_any("refresh_ahead", pile.issuer, places=AT_ONCE, life=self._life) as free:
                if not free:
                    return  # others are at it; what they leave is still due at the next look
                pile.done += 1
                await self._refresh(token, pile)

    async def _refresh(self, token: StoredToken, pile: _Pile) -> None:
        try:
            gateway = await self._gateway(token)
            await self._application.tokens.refresh_ahead(gateway, token)
        except (NotFound, AuthorizationRequired):  # the user may no longer use the gateway, or must authorize again
            await self._put_off(token, forever=True)
        except BackendUnavailable:
            raise
        except LatchpinError as exc:
            pile.silent = pile.silent or isinstance(exc, UpstreamUnreachable | UpstreamUnreadable)
            _log.warning("Renewing a token of %s ahead of time failed: %s", pile.issuer, exc.detail or exc.public)
            await self._put_off(token)
        except Exception:  # noqa: BLE001  one token must not keep the others from being renewed
            _log.exception("Renewing a token of %s ahead of time failed", pile.issuer)
            await self._put_off(token)

    async def _gateway(self, token: StoredToken) -> Gateway:
        """The gateway where the token is used.

        Raises:
            NotFound: there is none, its owner may not use it, or another account is used there now.
        """
        gateways, shared = self._application.gateways, token.app_user_email == COMPANY
        if shared:
            gateway = await gateways.get_any(token.gateway_id)
        else:
            caller = await self._application.with_groups(Caller(token.app_user_email))
            gateway = await gateways.get(token.gateway_id, caller)
        if shared != (gateway.connection == "shared"):
            raise NotFound("it rests: another account is used there now")
        return gateway

    async def _put_off(self, token: StoredToken, *, forever: bool = False) -> None:
        """Let it not be due for a while; ``forever``, or if it has expired: until somebody uses it."""
        current = await self._stored.get(token.gateway_id, token.app_user_email, token.label)
        if current is None or current.renew_at is None:
            return
        now = self._clock()
        forever = forever or now >= current.expires_at
        if current.renew_at > now and not forever:
            return  # it was begun, which puts it off, or somebody else has renewed it
        later = replace(current, revision=current.revision + 1, renew_at=None if forever else now + POSTPONED)
        with suppress(RecordConflict):
            await self._stored.put(later, replacing=current)


def _pile_up(due: Iterable[StoredToken]) -> list[tuple[_Pile, int]]:
    by_issuer: dict[str, list[StoredToken]] = {}
    for token in due:
        by_issuer.setdefault(token.issuer or token.gateway_id, []).append(token)
    return [(_Pile(issuer, iter(tokens)), len(tokens)) for issuer, tokens in by_issuer.items()]
