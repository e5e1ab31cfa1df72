"""Refreshing, once across all workers however many callers ask (RFC 6749 section 6, RFC 9700 section 4.14).

Within a process, callers of one token share one task. Between processes, a lease in the record store has an
owner and an expiry, and every write is fenced by the token's revision: a worker that froze cannot overwrite a
newer token. "Refresh begun" is written before the POST; a worker that dies leaves that mark, and the next
owner tries the old refresh token once.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from latchpin.client_grant import INVALID_CLIENT, ClientGrant, PinIssuer
from latchpin.clients import ClientDirectory
from latchpin.errors import (
    AuthorizationRequired,
    ProviderError,
    ProviderTimeout,
    RecordConflict,
    TokenRefused,
    Unsealable,
)
from latchpin.found import FoundServer
from latchpin.leases import Leases
from latchpin.model import CLIENT_ITSELF, ClientCredentials, Gateway, StoredToken, TokenGrant
from latchpin.oauth.lifetime import is_expired, is_fresh
from latchpin.sealing import open_token, seal_grant
from latchpin.servers import ServerDirectory
from latchpin.services import Services
from latchpin.shared_tasks import SharedTasks
from latchpin.token_endpoint import TokenEndpoint

__all__ = ["Refresher"]

_log = logging.getLogger("latchpin.refresh")

INVALID_GRANT = "invalid_grant"
LEASE_MARGIN = timedelta(seconds=15)
"""What a lease lives longer than the one token request that is made under it."""


class Refresher:
    """Gives current tokens, renewing those that are about to expire.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the token endpoint.
        pin: remembers the issuer found on first use.
        leases: make one worker renew a token while the others wait.
    """

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        *,
        pin: PinIssuer,
        leases: Leases | None = None,
    ) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._servers = servers
        self._clients = clients
        self._endpoint = endpoint
        self._own = ClientGrant(services, clients, endpoint, pin)
        self._leases = leases or Leases(services.records.kept, services.clock)
        self._life = timedelta(seconds=services.settings.oauth_request_timeout) + LEASE_MARGIN
        self._running: SharedTasks[tuple[str, str], StoredToken] = SharedTasks()

    async def current(self, gateway: Gateway, email: str, stored: StoredToken | None) -> StoredToken:
        """A token that is good for a while, from ``stored`` if it still is.

        Raises:
            AuthorizationRequired: there is none and no way to one without the user.
            ProviderError: it has expired, and the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
        """
        if stored is not None and self._serves(stored, None):
            return stored
        return await self._running.run((gateway.id, email), lambda: self._renew(gateway, email, refused=None))

    async def renew(self, gateway: Gateway, email: str, refused: StoredToken) -> StoredToken:
        """A newer token than ``refused``, which the MCP server did not accept; raises as ``current`` does."""
        return await self._running.run((gateway.id, email), lambda: self._renew(gateway, email, refused=refused))

    async def close(self) -> None:
        """Let what is under way end: a token that the server has rotated must be kept."""
        await self._running.close()

    async def _renew(self, gateway: Gateway, email: str, *, refused: StoredToken | None) -> StoredToken:
        stored = await self._tokens.get(gateway.id, email)
        if stored is not None and self._serves(stored, refused):
            return stored
        if email != CLIENT_ITSELF and self._renewable(gateway, stored, refused) is None and stored is not None:
            return stored
        try:
            found = await self._servers.find(gateway)  # before the lease: it may take as long as a lease lives
            return await self._renew_alone(gateway, email, found, refused)
        except ProviderError as exc:
            return self._still_good(stored, refused, exc)

    async def _renew_alone(
        self, gateway: Gateway, email: str, found: FoundServer, refused: StoredToken | None
    ) -> StoredToken:
        """Renew under the lease, unless somebody else has."""

        async def renewed_meanwhile() -> StoredToken | None:
            newer = await self._tokens.get(gateway.id, email)
            return newer if newer is not None and self._serves(newer, refused) else None

        try:
            async with self._leases.hold(
                "refresh", (gateway.id, email), life=self._life, meanwhile=renewed_meanwhile
            ) as made:
                return made or await renewed_meanwhile() or await self._renew_now(gateway, email, found, refused)
        except TimeoutError as exc:
            raise ProviderTimeout(str(exc)) from exc

    async def _renew_now(
        self, gateway: Gateway, email: str, found: FoundServer, refused: StoredToken | None
    ) -> StoredToken:
        stored = await self._tokens.get(gateway.id, email)
        try:
            if email == CLIENT_ITSELF:
                return await self._own.renew(gateway, found, stored)
            refresh_token = self._renewable(gateway, stored, refused)
            if stored is None or refresh_token is None:
                raise self._required(gateway, "your token was replaced while it was to be renewed")
            return await self._refresh(gateway, found, stored, refresh_token)
        except RecordConflict as exc:
            newer = await self._tokens.get(gateway.id, email)
            if newer is not None and self._serves(newer, stored):
                return newer
            raise self._required(gateway, "your token was replaced or removed while it was renewed") from exc

    def _serves(self, stored: StoredToken, refused: StoredToken | None) -> bool:
        newer = refused is None or (stored.id, stored.revision) != (refused.id, refused.revision)
        return newer and not stored.needs_reauth and is_fresh(stored, self._services.clock())

    def _renewable(self, gateway: Gateway, stored: StoredToken | None, refused: StoredToken | None) -> str | None:
        """The refresh token, open; None if there is none and the access token serves on until it expires."""
        if stored is None:
            raise self._required(gateway, "you have not authorized this gateway yet")
        if stored.needs_reauth:
            raise self._required(gateway, "the server no longer takes your refresh token", needs_reauth=True)
        try:
            refresh_token = open_token(self._services.cipher, stored).refresh_token
        except Unsealable as exc:
            text = f"your stored token cannot be opened: {exc.detail}"
            raise self._required(gateway, text, needs_reauth=True) from exc
        if refresh_token is None and (refused is not None or is_expired(stored, self._services.clock())):
            raise self._required(gateway, "your token expired, and the server gave no refresh token", needs_reauth=True)
        return refresh_token

    def _required(self, gateway: Gateway, detail: str, *, needs_reauth: bool = False) -> AuthorizationRequired:
        url = f"{self._services.settings.base_url}/oauth/authorize/{gateway.id}"
        return AuthorizationRequired(detail, authorize_url=url, needs_reauth=needs_reauth)

    async def _refresh(
        self, gateway: Gateway, found: FoundServer, stored: StoredToken, refresh_token: str
    ) -> StoredToken:
        client = await self._clients.existing(gateway, found.metadata)
        if client is None or client.client_id != stored.client_id or found.metadata.issuer != stored.issuer:
            raise self._required(gateway, "the client or server that issued your token was replaced", needs_reauth=True)
        begun = replace(stored, revision=stored.revision + 1, refresh_begun_at=self._services.clock())
        await self._tokens.put(begun, replacing=stored)
        try:
            grant = await self._endpoint.refresh(found.metadata, client, refresh_token, resource=stored.resource)
        except TokenRefused as exc:
            if exc.error == INVALID_GRANT or await self._client_gone(gateway, found, client, exc):
                return await self._spent(gateway, begun)
            raise
        return await self._keep(begun, grant, kept_refresh=refresh_token)

    async def _keep(self, begun: StoredToken, grant: TokenGrant, *, kept_refresh: str | None) -> StoredToken:
        renewed = replace(begun, revision=begun.revision + 1, refresh_begun_at=None, updated_at=self._services.clock())
        renewed = seal_grant(self._services.cipher, renewed, grant, kept_refresh=kept_refresh)
        await self._tokens.put(renewed, replacing=begun)
        _log.info("Refreshed the token for gateway %s, user %s", begun.gateway_id, begun.app_user_email)
        self._services.events.tell("token.refreshed", gateway_id=begun.gateway_id)
        return renewed

    async def _spent(self, gateway: Gateway, begun: StoredToken) -> StoredToken:
        """``invalid_grant``: unless somebody wrote a newer token meanwhile, only a new authorization helps."""
        spent = replace(
            begun,
            revision=begun.revision + 1,
            needs_reauth=True,
            refresh_begun_at=None,
            updated_at=self._services.clock(),
        )
        await self._tokens.put(spent, replacing=begun)
        _log.warning("The refresh token for gateway %s, user %s is spent", gateway.id, begun.app_user_email)
        self._services.events.tell("token.spent", gateway_id=gateway.id)
        raise self._required(gateway, "the server no longer takes your refresh token", needs_reauth=True)

    def _still_good(self, stored: StoredToken | None, refused: StoredToken | None, exc: ProviderError) -> StoredToken:
        """No decision came: everything is kept, and the old token serves while it lasts."""
        if stored is None or refused is not None or is_expired(stored, self._services.clock()):
            raise exc
        _log.warning(
            "Renewing the token for gateway %s, user %s failed, and the old one still serves: %s",
            stored.gateway_id,
            stored.app_user_email,
            exc.detail or exc.public,
        )
        return stored

    async def _client_gone(
        self, gateway: Gateway, found: FoundServer, client: ClientCredentials, exc: TokenRefused
    ) -> bool:
        """Whether the server refused our registered client, which is dropped then."""
        if exc.error != INVALID_CLIENT:
            return False
        return await self._clients.heal(gateway.id, found.metadata.issuer, client.client_id)
