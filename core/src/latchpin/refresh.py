"""Refreshing, once across all workers however many callers ask (RFC 6749 section 6, RFC 9700 section 4.14).

Within a process, callers of one token share one task. Between processes, a lease in the record store has an
owner and an expiry, and every write is fenced by the token's revision: a worker that froze cannot overwrite a
newer token. "Refresh begun" is written before the POST; a worker that dies leaves that mark, and the next
owner tries the old refresh token once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from latchpin.clients import ClientDirectory
from latchpin.errors import (
    AuthorizationRequired,
    LatchpinError,
    ProviderError,
    ProviderTimeout,
    RecordConflict,
    TokenRefused,
    Unsealable,
)
from latchpin.found import FoundServer
from latchpin.model import CLIENT_ITSELF, ClientCredentials, Gateway, StoredToken, TokenGrant
from latchpin.oauth.authorize import choose_scopes
from latchpin.oauth.lifetime import is_expired, is_fresh
from latchpin.sealing import TokenOrigin, build_token, open_token, seal_grant
from latchpin.servers import ServerDirectory
from latchpin.services import Services
from latchpin.token_endpoint import TokenEndpoint

__all__ = ["INVALID_CLIENT", "Refresher"]

_log = logging.getLogger("latchpin.refresh")

INVALID_CLIENT, INVALID_GRANT = "invalid_client", "invalid_grant"
PAUSE_SECONDS = 0.05
LEASE_MARGIN = timedelta(seconds=15)


class Refresher:
    """Gives current tokens, renewing those that are about to expire.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the token endpoint.
        pause: waits a number of seconds between two looks at a token that another worker renews.
    """

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._servers = servers
        self._clients = clients
        self._endpoint = endpoint
        self._pause = pause
        self._lease = timedelta(seconds=services.settings.oauth_request_timeout) + LEASE_MARGIN
        self._running: dict[tuple[str, str], asyncio.Task[StoredToken]] = {}

    async def current(self, gateway: Gateway, email: str, stored: StoredToken | None) -> StoredToken:
        """A token that is good for a while, from ``stored`` if it still is.

        Raises:
            AuthorizationRequired: there is none and no way to one without the user.
            ProviderError: it has expired, and the server gave no answer that decides.
        """
        if stored is not None and not stored.needs_reauth and is_fresh(stored, self._services.clock()):
            return stored
        return await self._once(gateway, email, lambda: self._renew(gateway, email, refused=None))

    async def renew(self, gateway: Gateway, email: str, refused: StoredToken) -> StoredToken:
        """A newer token than ``refused``, which the MCP server did not accept; raises as ``current`` does."""
        return await self._once(gateway, email, lambda: self._renew(gateway, email, refused=refused))

    async def _once(
        self, gateway: Gateway, email: str, start: Callable[[], Coroutine[Any, Any, StoredToken]]
    ) -> StoredToken:
        """Share one task among this process's callers; a caller that goes away does not stop it."""
        key = (gateway.id, email)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(start())
            task.add_done_callback(lambda done: self._finish(key, done))
        return await asyncio.shield(task)

    def _finish(self, key: tuple[str, str], task: asyncio.Task[StoredToken]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # everybody who waited has it; nobody may be left

    async def _renew(self, gateway: Gateway, email: str, *, refused: StoredToken | None) -> StoredToken:
        async with self._lease_of(gateway, email, refused) as found:
            if found is not None:
                return found
            stored = await self._tokens.get(gateway.id, email)
            if stored is not None and self._serves(stored, refused):
                return stored
            if email == CLIENT_ITSELF:
                return await self._client_grant(gateway, stored)
            return await self._refresh(gateway, self._refreshable(gateway, stored, refused))

    @asynccontextmanager
    async def _lease_of(
        self, gateway: Gateway, email: str, refused: StoredToken | None
    ) -> AsyncIterator[StoredToken | None]:
        """Hold the right to renew; yields a token instead if somebody else renewed it while we waited."""
        kept, clock = self._services.records.kept, self._services.clock
        name, owner = f"refresh:{gateway.id}:{email}", secrets.token_hex(16)
        waited = 0.0
        while await kept.put(name, owner, expires_at=clock() + self._lease) != owner:
            if waited > self._lease.total_seconds():
                raise ProviderTimeout("another worker holds the refresh of this token and does not finish")
            await self._pause(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
            stored = await self._tokens.get(gateway.id, email)
            if stored is not None and self._serves(stored, refused):
                yield stored
                return
        try:
            yield None
        finally:
            await kept.take(name, value=owner)

    def _serves(self, stored: StoredToken, refused: StoredToken | None) -> bool:
        newer = refused is None or (stored.id, stored.revision) != (refused.id, refused.revision)
        return newer and not stored.needs_reauth and is_fresh(stored, self._services.clock())

    def _refreshable(self, gateway: Gateway, stored: StoredToken | None, refused: StoredToken | None) -> StoredToken:
        if stored is None:
            raise self._required(gateway, "you have not authorized this gateway yet")
        if stored.needs_reauth:
            raise self._required(gateway, "the server no longer takes your refresh token", needs_reauth=True)
        if stored.refresh_token is None:
            if refused is None and not is_expired(stored, self._services.clock()):
                return stored
            raise self._required(gateway, "your token expired, and the server gave no refresh token", needs_reauth=True)
        return stored

    def _required(self, gateway: Gateway, detail: str, *, needs_reauth: bool = False) -> AuthorizationRequired:
        url = f"{self._services.settings.base_url}/oauth/authorize/{gateway.id}"
        return AuthorizationRequired(detail, authorize_url=url, needs_reauth=needs_reauth)

    # -- a user's refresh ---------------------------------------------------------------------------------

    async def _refresh(self, gateway: Gateway, stored: StoredToken) -> StoredToken:
        if stored.refresh_token is None:
            return stored
        try:
            refresh_token = open_token(self._services.cipher, stored).refresh_token or ""
        except Unsealable as exc:
            raise self._required(
                gateway, f"your stored token cannot be opened: {exc.detail}", needs_reauth=True
            ) from exc
        found = await self._servers.find(gateway)
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
            return self._still_good(begun, exc)
        except ProviderError as exc:
            return self._still_good(begun, exc)
        return await self._keep(begun, grant, kept_refresh=refresh_token)

    async def _keep(self, begun: StoredToken, grant: TokenGrant, *, kept_refresh: str | None) -> StoredToken:
        renewed = replace(begun, revision=begun.revision + 1, refresh_begun_at=None, updated_at=self._services.clock())
        renewed = seal_grant(self._services.cipher, renewed, grant, kept_refresh=kept_refresh)
        try:
            await self._tokens.put(renewed, replacing=begun)
        except RecordConflict:
            newer = await self._tokens.get(begun.gateway_id, begun.app_user_email)
            if newer is None or not self._serves(newer, begun):
                raise
            return newer
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
        try:
            await self._tokens.put(spent, replacing=begun)
        except RecordConflict:
            newer = await self._tokens.get(begun.gateway_id, begun.app_user_email)
            if newer is not None and self._serves(newer, begun):
                return newer
        _log.warning("The refresh token for gateway %s, user %s is spent", gateway.id, begun.app_user_email)
        self._services.events.tell("token.spent", gateway_id=gateway.id)
        raise self._required(gateway, "the server no longer takes your refresh token", needs_reauth=True)

    def _still_good(self, begun: StoredToken, exc: LatchpinError) -> StoredToken:
        """No decision came: everything is kept, and the old token serves while it lasts."""
        _log.warning(
            "Refreshing the token for gateway %s, user %s failed: %s",
            begun.gateway_id,
            begun.app_user_email,
            exc.detail or exc.public,
        )
        if is_expired(begun, self._services.clock()):
            raise exc
        return begun

    # -- the gateway's own token --------------------------------------------------------------------------

    async def _client_grant(self, gateway: Gateway, stored: StoredToken | None) -> StoredToken:
        found = await self._servers.find(gateway)
        config = gateway.oauth
        scopes = choose_scopes(
            configured=config.scopes if config else (),
            challenged=found.challenge_scopes,
            resource_supports=found.resource_scopes,
            server_supports=found.metadata.scopes_supported,
        )
        client, grant = await self._ask_for_itself(gateway, found, scopes)
        origin = TokenOrigin(
            gateway_id=gateway.id,
            app_user_email=CLIENT_ITSELF,
            issuer=found.metadata.issuer,
            resource=found.resource,
            client_id=client.client_id,
            scopes=scopes,
        )
        grant = replace(grant, refresh_token=None)  # RFC 6749 section 4.4.3: it should not come, and is not needed
        now = self._services.clock()
        token = build_token(self._services.cipher, grant, origin=origin, earlier=stored, now=now)
        await self._tokens.put(token, replacing=stored)
        return token

    async def _ask_for_itself(
        self, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...]
    ) -> tuple[ClientCredentials, TokenGrant]:
        """Ask for the gateway's own token; a registered client that the server has forgotten is registered anew."""
        redirect_uri = self._services.settings.redirect_uri
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        try:
            return client, await self._ask_as(client, gateway, found, scopes)
        except TokenRefused as exc:
            if not await self._client_gone(gateway, found, client, exc):
                raise
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        return client, await self._ask_as(client, gateway, found, scopes)

    async def _ask_as(
        self, client: ClientCredentials, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...]
    ) -> TokenGrant:
        return await self._endpoint.client_credentials(
            gateway, found.metadata, client, scopes=scopes, resource=found.resource
        )

    async def _client_gone(
        self, gateway: Gateway, found: FoundServer, client: ClientCredentials, exc: TokenRefused
    ) -> bool:
        """Whether the server refused our registered client, which is dropped then."""
        if exc.error != INVALID_CLIENT:
            return False
        return await self._clients.heal(gateway.id, found.metadata.issuer, client.client_id)
