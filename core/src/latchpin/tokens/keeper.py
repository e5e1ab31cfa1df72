"""Users' tokens: kept sealed, given out open to the one who may use them, renewed, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from latchpin.causes.refusals import CLIENT_FORGOTTEN
from latchpin.clients.directory import ClientDirectory
from latchpin.errors import AuthorizationRequired, LatchpinError, NotFound, RecordConflict, TokenRefused, Unsealable
from latchpin.journal.journal import Trail
from latchpin.model import (
    Caller,
    ClientCredentials,
    Gateway,
    PendingAuthorization,
    RegisteredClient,
    ServerMetadata,
    StoredToken,
    TokenGrant,
)
from latchpin.model.flow_facts import Exchanged, TokensSealed
from latchpin.oauth.callback import ValidatedCallback
from latchpin.oauth.dpop import DPOP
from latchpin.oauth.status import TokenStatus, is_authorized, status_of
from latchpin.outbound.proofs import TokenProof
from latchpin.outbound.upstream import host_of
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import INVALID_CLIENT, PinIssuer, owner_of
from latchpin.tokens.endpoint import Revocation, TokenEndpoint
from latchpin.tokens.refresh import Refresher
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.sealing import TokenOrigin, build_token, open_token

__all__ = ["TokenHealth", "TokenKeeper", "UsableToken", "owner_of"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class UsableToken:
    """An access token, open, with the record it came from, and the proofs for one that is bound to a key.

    Never stored, never logged.
    """

    access_token: str = field(repr=False)
    stored: StoredToken
    proof: TokenProof | None = None

    async def fields(self, method: str, url: str) -> tuple[tuple[str, str], ...]:
        """The header fields that show the token in one request (RFC 6750 section 2.1, RFC 9449 section 7.1).

        Raises:
            BackendUnavailable: the key that the token is bound to cannot be read from the store.
        """
        if self.proof is not None:
            return await self.proof.fields(method, url)
        return (("authorization", f"Bearer {self.access_token}"),)


@dataclass(frozen=True, slots=True)
class TokenHealth:
    """What a stored token is good for. ``authorized``: the gateway can act with it, or renew it without the user."""

    status: TokenStatus
    authorized: bool


class TokenKeeper:
    """Keeps tokens per user and gateway; nobody is given another's."""

    def __init__(
        self, services: Services, servers: ServerDirectory, clients: ClientDirectory, *, pin: PinIssuer
    ) -> None:
        self._services = services
        self._servers = servers
        self._clients = clients
        self._endpoint = TokenEndpoint(services)
        self._revoker = Revoker(services, servers, clients, self._endpoint)
        self._refresher = Refresher(services, servers, clients, self._endpoint, self._revoker, pin=pin)

    async def redeem(self, gateway: Gateway, validated: ValidatedCallback, verifier: str, trail: Trail) -> StoredToken:
        """Exchange the code and keep what comes, in place of any earlier token of this user.

        Raises:
            ProviderError, AuthorizationRequired (the client was replaced meanwhile), BackendUnavailable.
        """
        pending = validated.pending
        found = await self._servers.find(gateway)
        client = await self._clients.existing(gateway, found.metadata)
        now = client and (client.client_id, found.metadata.issuer, found.metadata.token_endpoint)
        if client is None or now != (pending.client_id, pending.issuer, pending.token_url):
            raise self._changed(gateway)  # or a new secret would be sent to the old server
        grant = await self._exchange(gateway, found.metadata, validated, verifier, client)
        trail.step(_exchanged(pending, client, grant, self._services.clock()))
        origin = TokenOrigin(
            gateway_id=gateway.id,
            app_user_email=pending.app_user_email,
            issuer=pending.issuer,
            resource=pending.resource,
            client_id=pending.client_id,
            scopes=pending.scopes,
            flow_id=pending.id,
        )
        try:
            token = await self._keep(origin, grant)
            await self._check_unchanged(gateway, pending.app_user_email)
        except (NotFound, AuthorizationRequired):
            await self._revoker.give_back(gateway.id, pending.app_user_email, found.metadata, client, grant)
            raise
        trail.step(TokensSealed(self._services.record_backend.label, replaced=token.revision > 1))
        return token

    async def _check_unchanged(self, gateway: Gateway, email: str) -> None:
        """A change drops every token, but one just written may have come after it."""
        current = await self._services.records.gateways.get(gateway.id)
        if current is None or (current.url, current.oauth) != (gateway.url, gateway.oauth):
            await self._services.records.tokens.delete(gateway.id, email)
            raise self._changed(gateway)

    async def _exchange(
        self,
        gateway: Gateway,
        server: ServerMetadata,
        validated: ValidatedCallback,
        verifier: str,
        client: ClientCredentials,
    ) -> TokenGrant:
        try:
            return await self._endpoint.exchange(server, validated, verifier, client)
        except TokenRefused as exc:
            issuer = validated.pending.issuer
            if exc.error != INVALID_CLIENT or not await self._clients.heal(gateway.id, issuer, client.client_id):
                raise
            error = AuthorizationRequired(authorize_url=self.authorize_url(gateway))
            raise error.explain_as(CLIENT_FORGOTTEN, issuer=issuer) from exc

    async def token_for(self, gateway: Gateway, caller: Caller) -> UsableToken:
        """The caller's own access token, refreshed if it is about to expire.

        Raises:
            AuthorizationRequired: there is none, or it cannot be renewed.
            ProviderError: it has expired and the server cannot be asked for another now.
        """
        email = owner_of(gateway, caller)
        stored = await self._services.records.tokens.get(gateway.id, email)
        stored = await self._refresher.current(gateway, email, stored, caller)
        return self._open(gateway, stored)

    async def renew(self, gateway: Gateway, caller: Caller, refused: StoredToken) -> UsableToken:
        """After the MCP server refused a token: another one, by refresh.

        Raises:
            AuthorizationRequired: it cannot be renewed.
        """
        stored = await self._refresher.renew(gateway, owner_of(gateway, caller), refused, caller)
        return self._open(gateway, stored)

    async def freshen(self, gateway: Gateway, due: StoredToken) -> None:
        """Renew a token ahead of time, in the background.

        Raises:
            AuthorizationRequired: only its user can help.
            ProviderError: the server gave no answer that decides.
        """
        await self._refresher.freshen(gateway, due)

    def refused(self, gateway: Gateway, exc: LatchpinError) -> AuthorizationRequired:
        """After the MCP server refused a fresh token too: the user authorizes again.

        It may have moved to another authorization server, so it is asked anew which one it has.
        """
        self._servers.forget(gateway.id)
        return AuthorizationRequired(
            f"the MCP server refuses a fresh token too: {exc.detail}",
            authorize_url=self.authorize_url(gateway),
            needs_reauth=True,
        )

    async def close(self) -> None:
        """Let renewals that are under way end, before the stores are closed."""
        await self._refresher.close()

    async def forget_key(self, gateway_id: str) -> None:
        """After a gateway was removed: forget the key that its tokens may have been bound to."""
        await self._endpoint.prover.forget(gateway_id)

    async def find(self, gateway: Gateway, email: str) -> StoredToken | None:
        """Look: the stored token, for status."""
        return await self._services.records.tokens.get(gateway.id, email)

    def health(self, stored: StoredToken | None) -> TokenHealth:
        """Judge a stored token by its times, and by whether a key we have opens it. Asks nobody."""
        now = self._services.clock()
        if stored is not None:
            try:
                open_token(self._services.cipher, stored)
            except Unsealable:
                return TokenHealth("needs_reauth", authorized=False)
        return TokenHealth(status_of(stored, now), is_authorized(stored, now))

    async def disconnect(self, gateway: Gateway, email: str) -> str | None:
        """Revoke upstream where offered, and delete here. Return what the server said, None if there was no token."""
        stored = await self._services.records.tokens.get(gateway.id, email)
        if stored is None:
            return None
        await self._services.records.tokens.delete(gateway.id, email)
        await self._services.records.tools.replace(gateway.id, email, {})
        self._services.events.tell("token.disconnected", gateway_id=gateway.id)
        # Last: it may take long, and nobody may use the token meanwhile.
        return (await self._revoker.revoke(gateway, stored)).answer

    async def revoke_all(
        self, gateway: Gateway, tokens: Sequence[StoredToken], clients: Sequence[RegisteredClient], *, within: timedelta
    ) -> list[Revocation]:
        """After a gateway was removed: revoke upstream what it had; see ``Revoker.revoke_all``."""
        return await self._revoker.revoke_all(gateway, tokens, clients, within=within)

    def _changed(self, gateway: Gateway) -> AuthorizationRequired:
        return AuthorizationRequired(
            "the gateway's settings or its client were changed while you authorized",
            authorize_url=self.authorize_url(gateway),
        )

    def authorize_url(self, gateway: Gateway) -> str:
        """Where a browser gets a token for ``gateway``."""
        return f"{self._services.settings.base_url}/oauth/authorize/{gateway.id}"

    def _open(self, gateway: Gateway, stored: StoredToken) -> UsableToken:
        try:
            access_token = open_token(self._services.cipher, stored).access_token
        except Unsealable as exc:
            raise AuthorizationRequired(
                f"your stored token cannot be opened: {exc.detail}",
                authorize_url=self.authorize_url(gateway),
                needs_reauth=True,
            ) from exc
        bound = stored.token_type == DPOP
        return UsableToken(
            access_token, stored, TokenProof(self._endpoint.prover, gateway.id, access_token) if bound else None
        )

    async def _keep(self, origin: TokenOrigin, grant: TokenGrant) -> StoredToken:
        tokens, now = self._services.records.tokens, self._services.clock()
        for _ in range(_ATTEMPTS):
            earlier = await tokens.get(origin.gateway_id, origin.app_user_email)
            token = build_token(self._services.cipher, grant, origin=origin, earlier=earlier, now=now)
            try:
                await tokens.put(token, replacing=earlier)
            except RecordConflict:
                continue
            return token
        if await self._services.records.gateways.get(origin.gateway_id) is None:
            raise NotFound("the gateway was removed while you authorized")
        raise RecordConflict(f"the token of {origin.app_user_email} kept changing while it was to be written")


def _exchanged(pending: PendingAuthorization, client: ClientCredentials, grant: TokenGrant, now: datetime) -> Exchanged:
    return Exchanged(
        server=host_of(pending.token_url),
        auth_method=client.auth_method,
        lifetime_seconds=round((grant.expires_at - now).total_seconds()),
        refresh_token=grant.refresh_token is not None,
        scopes=pending.scopes if grant.scopes is None else grant.scopes,
    )
