"""Tokens that nobody has to be asked for in a browser: renewed by asking again, whoever vouches.

The gateway's own token is one for all its callers (client_credentials, RFC 6749 section 4.4, or its workload's JWT,
RFC 7523); where an identity provider vouches for people, each has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import AssertionRefused, DiscoveryFailed, RecordConflict, TokenRefused, UpstreamTimeout
from latchpin.model import CLIENT_ITSELF, Caller, ClientCredentials, Gateway, StoredToken, TokenGrant
from latchpin.oauth.grants import grant_subject
from latchpin.outbound.proofs import DpopBinding, bound_of
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.assertions import Assertions
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.sealing import TokenOrigin, build_token

__all__ = ["ClientGrant", "PinIssuer", "needs_browser", "owner_of", "require_pinned"]

PinIssuer = Callable[[Gateway, str | None], Awaitable[Gateway]]
"""Remembers the issuer found on first use; gives the gateway as it is then."""

INVALID_CLIENT = "invalid_client"
_OF_THE_ASSERTION = frozenset({"invalid_grant", "access_denied", "interaction_required"})


def require_pinned(gateway: Gateway, found: FoundServer, pinned: Gateway) -> None:
    """Refuse what was found if somebody else, at the same first use, pinned another issuer.

    Raises:
        DiscoveryFailed: two issuers were found at the same time.
    """
    issuer = found.metadata.issuer
    if gateway.pinned_issuer is None and issuer is not None and pinned.pinned_issuer not in {None, issuer}:
        raise DiscoveryFailed(f"{gateway.url} named {issuer} and, at the same time, {pinned.pinned_issuer}")


def owner_of(gateway: Gateway, caller: Caller) -> str:
    """Whose token serves ``caller`` at ``gateway``: the caller's own, or the gateway's."""
    if gateway.oauth is not None and grant_subject(gateway.oauth) in {"client", "workload"}:
        return CLIENT_ITSELF
    return caller.email


def needs_browser(gateway: Gateway) -> bool:
    """Whether only a person in a browser gets a token for ``gateway``."""
    return gateway.oauth is not None and grant_subject(gateway.oauth) == "person"


class ClientGrant:
    """Asks for a token without a browser and keeps it."""

    def __init__(
        self,
        services: Services,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        pin: PinIssuer,
    ) -> None:
        self._services = services
        self._clients = clients
        self._endpoint = endpoint
        self._revoker = revoker
        self._pin = pin
        self._assertions = Assertions(services, endpoint)
        self._within = services.settings.oauth_request_timeout

    async def renew(
        self, gateway: Gateway, found: FoundServer, stored: StoredToken | None, caller: Caller | None = None
    ) -> StoredToken:
        """A new token in place of ``stored``; ``caller`` is who asks, where the token is to be theirs.

        Raises:
            IdentityAssertionRequired: the caller's identity provider has to vouch for them first.
            AssertionUnusable: the workload's JWT is missing or has expired.
            ProviderError: the server, or the identity provider, refused or could not be asked.
            RecordConflict: somebody else wrote one meanwhile.
        """
        found.require_scopes()
        require_pinned(gateway, found, await self._pin(gateway, found.metadata.issuer))
        scopes = found.scopes
        owner = CLIENT_ITSELF if caller is None else owner_of(gateway, caller)
        try:
            async with asyncio.timeout(self._within):  # several servers may be asked, and a lease is held
                assertion = await self._assertions.get(gateway, found, caller, scopes=scopes)
                client, grant = await self._ask(gateway, found, scopes, assertion)
        except TimeoutError as exc:
            raise UpstreamTimeout(f"no token within {self._within} s", sent=True) from exc
        origin = TokenOrigin(
            gateway_id=gateway.id,
            app_user_email=owner,
            issuer=found.metadata.issuer,
            resource=found.resource,
            client_id=client.client_id,
            scopes=scopes,
        )
        grant = replace(grant, refresh_token=None)  # RFC 6749 section 4.4.3: it should not come, and is not needed
        now = self._services.clock()
        token = build_token(self._services.cipher, grant, origin=origin, earlier=stored, now=now)
        try:
            await self._services.records.tokens.put(token, replacing=stored)
        except RecordConflict:
            await self._revoker.give_back(gateway.id, owner, found.metadata, client, grant)
            raise
        await self._services.activity.tell(
            "token.obtained",
            actor=CLIENT_ITSELF,
            gateway_id=gateway.id,
            subject="" if owner == CLIENT_ITSELF else owner,
        )
        return token

    async def _ask(
        self, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...], assertion: str | None
    ) -> tuple[ClientCredentials, TokenGrant]:
        """Ask; a registered client that the server has forgotten is registered anew, once."""
        redirect_uri = self._services.settings.redirect_uri
        bound = bound_of(gateway.id, found.metadata)
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        try:
            return client, await self._ask_as(client, found, scopes, assertion, bound)
        except TokenRefused as exc:
            gone = exc.error == INVALID_CLIENT
            if not gone or not await self._clients.reregister(gateway.id, found.metadata.issuer, client.client_id):
                raise
        client = await self._clients.client_for(gateway, found.metadata, redirect_uri, scopes)
        return client, await self._ask_as(client, found, scopes, assertion, bound)

    async def _ask_as(
        self,
        client: ClientCredentials,
        found: FoundServer,
        scopes: tuple[str, ...],
        assertion: str | None,
        bound: DpopBinding | None,
    ) -> TokenGrant:
        server, resource = found.metadata, found.resource
        if assertion is None:
            return await self._endpoint.client_credentials(
                found.config, server, client, scopes=scopes, resource=resource, bound=bound
            )
        try:
            return await self._endpoint.jwt_bearer(
                found.config, server, client, assertion, scopes=scopes, resource=resource, bound=bound
            )
        except TokenRefused as exc:
            if exc.error not in _OF_THE_ASSERTION:
                raise
            raise AssertionRefused(
                f"the authorization server does not accept the assertion: {exc.detail}",
                error=exc.error,
                remedy="Its operator checks whether it trusts who issued the assertion, for this client and resource.",
            ) from exc
