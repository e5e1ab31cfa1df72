"""One renewal by whoever holds its lease: the mark, the request, and what each outcome leaves behind.

The outcomes and what follows from each are a table in docs/tokens.md, and a test holds the two together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import (
    AccessRefused,
    AuthorizationRequired,
    BackendUnavailable,
    RecordConflict,
    TokenRefused,
    Unsealable,
)
from latchpin.model import CLIENT_ITSELF, Caller, ClientCredentials, Gateway, StoredToken, TokenGrant
from latchpin.model.audit import AuditEvent
from latchpin.oauth.lifetime import POSTPONED, is_expired, is_fresh
from latchpin.outbound.proofs import bound_of
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.client_grant import INVALID_CLIENT, ClientGrant, needs_browser
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.sealing import open_token, seal_grant

__all__ = ["Renewal", "Wanted"]

_log = logging.getLogger("latchpin.refresh")

INVALID_GRANT = "invalid_grant"
INVALID_TOKEN = "invalid_token"  # noqa: S105  an error code (RFC 6750 section 3.1)

ONCE_IN = timedelta(seconds=60)
"""A token that the MCP server refused is renewed; if it refuses the new one within this time, that does not help."""

KEEP_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to keep what the server has given out already; with the store's own deadlines they fit into
what a lease lives longer than the request."""

Pause = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose token is wanted, and what will not do.

    Attributes:
        email: the owner's address, or ``CLIENT_ITSELF``.
        than: one newer than this is wanted; None: any that is good for a while.
        because: it is ``expiring``; the MCP server ``refused`` it; or it is ``due`` in the background.
        caller: who asks, where somebody does.
    """

    gateway: Gateway
    email: str
    than: StoredToken | None = None
    because: Literal["expiring", "refused", "due"] = "expiring"
    caller: Caller | None = None


class Renewal:
    """Renews a token, once.

    Args:
        services: the gateway's services.
        clients: knows the client that acts at the server.
        endpoint: asks the token endpoint.
        revoker: revokes what comes too late to be kept.
        own: gets tokens that need no browser.
        pause: waits that many seconds; tests give one that does not.
    """

    def __init__(
        self,
        services: Services,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        own: ClientGrant,
        *,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._clients = clients
        self._endpoint = endpoint
        self._revoker = revoker
        self._own = own
        self._pause = pause

    # -- deciding -----------------------------------------------------------------------------------------

    def serves(self, stored: StoredToken, wanted: Wanted) -> bool:
        """Whether ``stored`` is what is wanted."""
        newer = wanted.than is None or _version(stored) != _version(wanted.than)
        if not newer or stored.needs_reauth or not is_fresh(stored, self._services.clock()):
            return False
        # One that no key opens is just asked for again, where that takes nobody's browser.
        return needs_browser(wanted.gateway) or self._opens(stored)

    def _opens(self, stored: StoredToken) -> bool:
        try:
            open_token(self._services.cipher, stored)
        except Unsealable:
            return False
        return True

    def renewable(self, wanted: Wanted, stored: StoredToken | None) -> str | None:
        """The refresh token, open; None if there is none and the access token serves on until it expires.

        Raises:
            AuthorizationRequired: only the user can help.
        """
        if stored is None:
            raise self._required(wanted, "you have not authorized this gateway yet")
        if stored.needs_reauth:
            raise self._required(wanted, "the server no longer takes your refresh token", needs_reauth=True)
        try:
            refresh_token = open_token(self._services.cipher, stored).refresh_token
        except Unsealable as exc:
            text = f"your stored token cannot be opened: {exc.detail}"
            raise self._required(wanted, text, needs_reauth=True) from exc
        unusable = wanted.because == "refused" or is_expired(stored, self._services.clock())
        if refresh_token is None and unusable:
            raise self._required(wanted, "your token expired, and the server gave no refresh token", needs_reauth=True)
        return refresh_token

    def _required(self, wanted: Wanted, detail: str, *, needs_reauth: bool = False) -> AuthorizationRequired:
        url = self._services.settings.authorize_url(wanted.gateway.id)
        return AuthorizationRequired(detail, authorize_url=url, needs_reauth=needs_reauth)

    # -- renewing -----------------------------------------------------------------------------------------

    async def run(self, wanted: Wanted, found: FoundServer) -> StoredToken:
        """Renew. Whoever calls holds the lease.

        Raises:
            AuthorizationRequired: only the user can help.
            AccessRefused: the MCP server refuses the gateway's own fresh tokens.
            ProviderError: the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self._tokens.get(wanted.gateway.id, wanted.email)
        if wanted.because == "refused" and stored is not None:
            await self._check_not_again(wanted, stored)
        try:
            renewed = await self._replace(wanted, found, stored)
        except RecordConflict as exc:
            newer = await self._tokens.get(wanted.gateway.id, wanted.email)
            if newer is not None and self.serves(newer, replace(wanted, than=stored)):
                return newer
            raise self._required(wanted, "your token was replaced or removed while it was renewed") from exc
        if wanted.because == "refused":
            end = self._services.clock() + ONCE_IN
            await self._services.records.kept.put(_mark(renewed), "refused", expires_at=end)
        return renewed

    async def _check_not_again(self, wanted: Wanted, stored: StoredToken) -> None:
        if await self._services.records.kept.get(_mark(stored)) is None:
            return
        text = f"the MCP server refused the token before this one too, less than {ONCE_IN.seconds} seconds ago"
        if not needs_browser(wanted.gateway):
            raise AccessRefused(text, error=INVALID_TOKEN)
        raise self._required(wanted, text, needs_reauth=True)

    async def _replace(self, wanted: Wanted, found: FoundServer, stored: StoredToken | None) -> StoredToken:
        if not needs_browser(wanted.gateway):
            return await self._own.renew(wanted.gateway, found, stored, wanted.caller)
        refresh_token = self.renewable(wanted, stored)
        if stored is None or refresh_token is None:
            raise self._required(wanted, "your token was replaced while it was to be renewed")
        client = await self._clients.existing(wanted.gateway, found.metadata)
        if client is None or client.client_id != stored.client_id or found.metadata.issuer != stored.issuer:
            raise self._required(wanted, "the client or server that issued your token was replaced", needs_reauth=True)
        begun = await self._begin(stored)
        try:
            bound = bound_of(wanted.gateway.id, found.metadata, stored)
            grant = await self._endpoint.refresh(
                found.metadata, client, refresh_token, resource=stored.resource, bound=bound
            )
        except TokenRefused as exc:
            if exc.error == INVALID_GRANT or await self._client_gone(wanted.gateway, found, client, exc):
                return await self._spend(wanted, begun)
            raise
        try:
            return await self._keep(begun, grant, kept_refresh=refresh_token)
        except RecordConflict:
            await self._revoker.give_back(wanted.gateway.id, wanted.email, found.metadata, client, grant)
            raise

    async def _begin(self, stored: StoredToken) -> StoredToken:
        """Note that it was begun, before anything is sent: a worker that dies leaves the mark."""
        now = self._services.clock()
        later = None if stored.renew_at is None else now + POSTPONED
        begun = replace(stored, revision=stored.revision + 1, refresh_begun_at=now, renew_at=later)
        await self._tokens.put(begun, replacing=stored)
        return begun

    # -- outcomes -----------------------------------------------------------------------------------------

    async def _keep(self, begun: StoredToken, grant: TokenGrant, *, kept_refresh: str) -> StoredToken:
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
        _log.info("Refreshed the token for gateway %s, user %s", begun.gateway_id, begun.app_user_email)
        self._services.events.tell("token.refreshed", gateway_id=begun.gateway_id)
        await self._audit("token.refreshed", begun)
        return renewed

    async def _put(self, renewed: StoredToken, begun: StoredToken) -> None:
        try:
            await self._tokens.put(renewed, replacing=begun)
        except RecordConflict:
            if await self._tokens.get(begun.gateway_id, begun.app_user_email) != renewed:
                raise  # else an earlier try was carried out, and only its answer was lost

    async def _spend(self, wanted: Wanted, begun: StoredToken) -> StoredToken:
        """``invalid_grant``: unless somebody wrote a newer token meanwhile, only a new authorization helps."""
        spent = replace(
            begun,
            revision=begun.revision + 1,
            needs_reauth=True,
            refresh_begun_at=None,
            updated_at=self._services.clock(),
            renew_at=None,
        )
        await self._tokens.put(spent, replacing=begun)
        _log.warning("The refresh token for gateway %s, user %s is spent", begun.gateway_id, begun.app_user_email)
        self._services.events.tell("token.spent", gateway_id=begun.gateway_id)
        await self._audit("token.spent", begun)
        raise self._required(wanted, "the server no longer takes your refresh token", needs_reauth=True)

    async def _audit(self, event: AuditEvent, begun: StoredToken) -> None:
        await self._services.audit.record(
            event, actor=CLIENT_ITSELF, gateway_id=begun.gateway_id, subject=begun.app_user_email
        )

    async def _client_gone(
        self, gateway: Gateway, found: FoundServer, client: ClientCredentials, exc: TokenRefused
    ) -> bool:
        """Whether the server refused our registered client, which is dropped then."""
        if exc.error != INVALID_CLIENT:
            return False
        return await self._clients.heal(gateway.id, found.metadata.issuer, client.client_id)


def _version(token: StoredToken) -> tuple[str, int]:
    return token.id, token.revision


def _mark(token: StoredToken) -> str:
    return f"renewed:{token.id}:{token.revision}"
