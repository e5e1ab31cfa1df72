"""Tokens that nobody has to be asked for in a browser: renewed by asking again, by the grant that the entry names.

What plugins offer through ``latchpin_grants`` is only a grant's own parameters; all else that a grant needs is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import GrantRequest, GrantSubject
from latchpin.errors import PluginError, RecordConflict, TokenRefused, UpstreamTimeout
from latchpin.model import CLIENT_ITSELF, Caller, ClientCredentials, Gateway, OAuthConfig, StoredToken, TokenGrant
from latchpin.outbound.proofs import bound_of
from latchpin.plugins.elsewhere import nobody_offers
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.schemes import wants_key
from latchpin.tokens.scope_rules import scopes_within_rules
from latchpin.tokens.sealing import build_token

__all__ = ["ClientGrant", "PinIssuer", "needs_browser", "require_grant", "subject_of"]

PinIssuer = Callable[[Gateway, str | None], Awaitable[Gateway]]
"""Remembers the issuer found on first use; gives the gateway as it is then."""


def needs_browser(gateway: Gateway) -> bool:
    """Whether only a person in a browser gets a token for ``gateway``, or enters a key there."""
    if gateway.oauth is None:
        return wants_key(gateway)
    return gateway.oauth.grant_type == "authorization_code"


def require_grant(services: Services, config: OAuthConfig) -> None:
    """Insist that something offers the entry's grant.

    Raises:
        PluginError: nothing that is installed does; says what to install.
    """
    if config.grant_type != "authorization_code" and config.grant_type not in services.grants:
        text, remedy = nobody_offers(config.grant_type)
        raise PluginError(text, public=text, remedy=remedy)


def subject_of(services: Services, config: OAuthConfig) -> GrantSubject | None:
    """On whose word a gateway with this entry gets its tokens; None: a person's in a browser, or nothing offers it."""
    grant = services.grants.get(config.grant_type)
    return grant.subject(config) if grant is not None else None


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
        self._within = services.settings.oauth_request_timeout

    async def renew(
        self, gateway: Gateway, found: FoundServer, stored: StoredToken | None, *, owner: str, caller: Caller | None
    ) -> StoredToken:
        """A new token in place of ``stored``.

        Args:
            gateway: which.
            found: its authorization server.
            stored: what is there.
            owner: whose it is to be: a person's, or ``CLIENT_ITSELF``.
            caller: who asks, where somebody does.

        Raises:
            PluginError: nothing that is installed offers the grant.
            ScopesBeyondCeiling: nothing may be asked for there.
            LatchpinError: what the grant needs cannot be had.
            UpstreamError: the server refused or could not be asked.
            RecordConflict: somebody else wrote one meanwhile.
        """
        found.require_scopes()
        require_grant(self._services, found.config)
        scopes = await scopes_within_rules(self._services, gateway, found.scopes, owner=owner, caller=caller)
        found.require_pinned(gateway, await self._pin(gateway, found.metadata.issuer))
        try:
            async with asyncio.timeout(self._within):  # several servers may be asked, and a lease is held
                client, given = await self._ask(gateway, found, scopes, caller)
        except TimeoutError as exc:
            raise UpstreamTimeout(f"no token within {self._within} s", sent=True) from exc
        given = replace(given, refresh_token=None)  # RFC 6749 section 4.4.3: it should not come, and is not needed
        token = build_token(
            self._services.cipher,
            given,
            gateway_id=gateway.id,
            app_user_email=owner,
            issuer=found.metadata.issuer,
            resource=found.resource,
            client_id=client.client_id,
            scopes=scopes,
            earlier=stored,
            now=self._services.clock(),
        )
        try:
            await self._services.records.tokens.put(token, replacing=stored)
        except RecordConflict:
            await self._revoker.give_back(gateway.id, owner, found.metadata, client, given)
            raise
        await self._services.activity.tell(
            "token.obtained",
            actor=CLIENT_ITSELF,
            gateway_id=gateway.id,
            subject="" if owner == CLIENT_ITSELF else owner,
        )
        return token

    async def _ask(
        self, gateway: Gateway, found: FoundServer, scopes: tuple[str, ...], caller: Caller | None
    ) -> tuple[ClientCredentials, TokenGrant]:
        """Ask; a registered client that the server has forgotten is registered anew, once."""
        services = self._services
        grant = services.grants[found.config.grant_type]
        request = GrantRequest(
            gateway,
            found.config,
            found.metadata,
            found.resource,
            scopes,
            caller,
            services.assertion_sources,
            self._endpoint.post,
        )
        ask = partial(
            self._endpoint.grant,
            found,
            parameters=await grant.parameters(request),
            scopes=scopes,
            bound=bound_of(gateway.id, found.metadata),
        )
        redirect_uri = services.settings.redirect_uri  # a client is every caller's, so rules about one do not cut it
        find_client = partial(self._clients.client_for, gateway, found.metadata, redirect_uri, found.scopes)
        client = await find_client()
        try:
            try:
                return client, await ask(client)
            except TokenRefused as exc:
                if not await self._clients.reregister(exc, gateway.id, found.metadata.issuer, client.client_id):
                    raise
            client = await find_client()
            return client, await ask(client)
        except TokenRefused as exc:
            meant = grant.explain(exc)
            if meant is exc:
                raise
            raise meant from exc
