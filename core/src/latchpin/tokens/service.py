"""Users' tokens: kept sealed, given out open to the one who may use them, renewed, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from latchpin.activity.recorder import FlowSpan
from latchpin.clients.directory import ClientDirectory
from latchpin.errors import AuthorizationRequired, LatchpinError, Unsealable
from latchpin.model import (
    Caller,
    Gateway,
    RegisteredClient,
    StoredToken,
)
from latchpin.oauth.callback import ValidatedCallback
from latchpin.oauth.dpop import DPOP
from latchpin.oauth.status import TokenStatus, is_authorized, status_of
from latchpin.outbound.proofs import TokenProof
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import PinIssuer, owner_of
from latchpin.tokens.endpoint import Revocation, TokenEndpoint
from latchpin.tokens.redemption import Redemption
from latchpin.tokens.refresh import Refresher
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.sealing import open_token
from latchpin.tokens.usage import Usage

__all__ = ["TokenHealth", "TokenService", "UsableToken"]


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
    """What a stored token is good for.

    Attributes:
        authorized: the gateway can act with it, or renew it without the user.
        opens: a key we have opens it.
    """

    status: TokenStatus
    authorized: bool
    opens: bool = True


class TokenService:
    """Keeps tokens per user and gateway; nobody is given another's."""

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        *,
        pin: PinIssuer,
    ) -> None:
        self._services = services
        self._servers = servers
        self._clients = clients
        self._endpoint = endpoint
        self._revoker = Revoker(services, servers, clients, self._endpoint)
        self._redemption = Redemption(services, servers, clients, self._endpoint, self._revoker)
        limit = timedelta(days=services.settings.idle_connection_days)
        self._usage = Usage(services.kept, services.clock, limit)
        self._refresher = Refresher(services, servers, clients, self._endpoint, self._revoker, pin=pin)

    async def redeem(
        self, gateway: Gateway, validated: ValidatedCallback, verifier: str, span: FlowSpan
    ) -> StoredToken:
        """Exchange the code and keep what comes; see ``Redemption.redeem``."""
        await self._usage.note(gateway.id, validated.pending.app_user_email, anew=True)
        return await self._redemption.redeem(gateway, validated, verifier, span)

    async def check_pause(self, gateway_id: str) -> None:
        """Before a state is used up; see ``Redemption.check_pause``."""
        await self._redemption.check_pause(gateway_id)

    async def token_for(self, gateway: Gateway, caller: Caller) -> UsableToken:
        """The caller's own access token, refreshed if it is about to expire.

        Raises:
            AuthorizationRequired: there is none, or it cannot be renewed.
            UpstreamError: it has expired and the server cannot be asked for another now.
        """
        email = self.owner_of(gateway, caller)
        stored = await self._services.records.tokens.get(gateway.id, email)
        stored = await self._refresher.current(gateway, email, stored, caller)
        await self._usage.note(gateway.id, email)
        return self._open(gateway, stored)

    def owner_of(self, gateway: Gateway, caller: Caller) -> str:
        """Whose token serves ``caller`` at ``gateway``: the caller's own, or the gateway's."""
        return owner_of(self._services, gateway, caller)

    async def renew(self, gateway: Gateway, caller: Caller, refused: StoredToken) -> UsableToken:
        """After the MCP server refused a token: another one, by refresh.

        Raises:
            AuthorizationRequired: it cannot be renewed.
        """
        stored = await self._refresher.renew(gateway, self.owner_of(gateway, caller), refused, caller)
        return self._open(gateway, stored)

    async def refresh_ahead(self, gateway: Gateway, due: StoredToken) -> None:
        """Renew a token ahead of time, in the background.

        Raises:
            AuthorizationRequired: only its user can help.
            UpstreamError: the server gave no answer that decides.
        """
        await self._refresher.refresh_ahead(gateway, due)

    def refused(self, gateway: Gateway, exc: LatchpinError) -> AuthorizationRequired:
        """After the MCP server refused a fresh token too: the user authorizes again.

        It may have moved to another authorization server, so it is asked anew which one it has.
        """
        self._servers.forget(gateway.id)
        return AuthorizationRequired(
            f"the MCP server refuses a fresh token too: {exc.detail}",
            authorize_url=self._services.settings.authorize_url(gateway.id),
            needs_reauth=True,
        )

    async def close(self) -> None:
        """Let renewals that are under way end, before the stores are closed."""
        await self._refresher.close()

    async def forget_key(self, gateway_id: str) -> None:
        """After a gateway was removed: forget the key that its tokens may have been bound to."""
        await self._endpoint.proofs.forget(gateway_id)

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
                return TokenHealth("needs_reauth", authorized=False, opens=False)
        return TokenHealth(status_of(stored, now), is_authorized(stored, now))

    async def disconnect(self, gateway: Gateway, email: str) -> str | None:
        """Revoke upstream where offered, and delete here. Return what the server said, None if there was no token."""
        stored = await self._services.records.tokens.get(gateway.id, email)
        if stored is None:
            return None
        await self._services.records.tokens.delete(gateway.id, email)
        await self._services.tools.replace(gateway.id, email, {})
        # Last: it may take long, and nobody may use the token meanwhile.
        return (await self._revoker.revoke(gateway, stored)).answer

    async def revoke_all(
        self, gateway: Gateway, tokens: Sequence[StoredToken], clients: Sequence[RegisteredClient], *, within: timedelta
    ) -> list[Revocation]:
        """After a gateway was removed: revoke upstream what it had; see ``Revoker.revoke_all``."""
        return await self._revoker.revoke_all(gateway, tokens, clients, within=within)

    def _open(self, gateway: Gateway, stored: StoredToken) -> UsableToken:
        try:
            access_token = open_token(self._services.cipher, stored).access_token
        except Unsealable as exc:
            raise AuthorizationRequired(
                f"your stored token cannot be opened: {exc.detail}",
                authorize_url=self._services.settings.authorize_url(gateway.id),
                needs_reauth=True,
            ) from exc
        bound = stored.token_type == DPOP
        return UsableToken(
            access_token, stored, TokenProof(self._endpoint.proofs, gateway.id, access_token) if bound else None
        )
