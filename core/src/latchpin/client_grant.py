"""The gateway's own token (client_credentials, RFC 6749 section 4.4): one for all callers of a gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from latchpin.clients import ClientDirectory
from latchpin.errors import DiscoveryFailed, TokenRefused
from latchpin.found import FoundServer
from latchpin.model import CLIENT_ITSELF, ClientCredentials, Gateway, StoredToken, TokenGrant
from latchpin.oauth.authorize import choose_scopes
from latchpin.sealing import TokenOrigin, build_token
from latchpin.services import Services
from latchpin.token_endpoint import TokenEndpoint

__all__ = ["ClientGrant", "PinIssuer", "require_pinned"]

PinIssuer = Callable[[Gateway, str | None], Awaitable[Gateway]]
"""Remembers the issuer found on first use; gives the gateway as it is then."""

INVALID_CLIENT = "invalid_client"


def require_pinned(gateway: Gateway, found: FoundServer, pinned: Gateway) -> None:
    """Refuse what was found if somebody else, at the same first use, pinned another issuer.

    Raises:
        DiscoveryFailed: two issuers were found at the same time.
    """
    issuer = found.metadata.issuer
    if gateway.pinned_issuer is None and issuer is not None and pinned.pinned_issuer not in {None, issuer}:
        raise DiscoveryFailed(f"{gateway.url} named {issuer} and, at the same time, {pinned.pinned_issuer}")


class ClientGrant:
    """Asks for the gateway's own token and keeps it."""

    def __init__(self, services: Services, clients: ClientDirectory, endpoint: TokenEndpoint, pin: PinIssuer) -> None:
        self._services = services
        self._clients = clients
        self._endpoint = endpoint
        self._pin = pin

    async def renew(self, gateway: Gateway, found: FoundServer, stored: StoredToken | None) -> StoredToken:
        """A new token in place of ``stored``.

        Raises:
            ProviderError: the server refused or could not be asked.
            RecordConflict: somebody else wrote one meanwhile.
        """
        require_pinned(gateway, found, await self._pin(gateway, found.metadata.issuer))
        scopes = choose_scopes(
            configured=gateway.oauth.scopes if gateway.oauth else (),
            challenged=found.challenge_scopes,
            resource_supports=found.resource_scopes,
            server_supports=found.metadata.scopes_supported,
        )
        client, grant = await self._ask(gateway, found, scopes)
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
        await self._services.records.tokens.put(token, replacing=stored)
        return token

    async def _ask(
        self, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...]
    ) -> tuple[ClientCredentials, TokenGrant]:
        """Ask; a registered client that the server has forgotten is registered anew, once."""
        redirect_uri = self._services.settings.redirect_uri
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        try:
            return client, await self._ask_as(client, found, scopes)
        except TokenRefused as exc:
            gone = exc.error == INVALID_CLIENT
            if not gone or not await self._clients.heal(gateway.id, found.metadata.issuer, client.client_id):
                raise
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        return client, await self._ask_as(client, found, scopes)

    async def _ask_as(self, client: ClientCredentials, found: FoundServer, scopes: tuple[str, ...]) -> TokenGrant:
        return await self._endpoint.client_credentials(
            found.config, found.metadata, client, scopes=scopes, resource=found.resource
        )
