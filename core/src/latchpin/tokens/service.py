"""Users' tokens: given out open to the one who may use them, renewed before they end, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import (
    AuthorizationRequired,
    InvalidRequest,
    LatchpinError,
    PluginError,
    RecordConflict,
    SharedConnectionMissing,
    Unsealable,
    UpstreamTimeout,
)
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway, StoredToken
from latchpin.model.accounts import MOST_ACCOUNTS
from latchpin.oauth.dpop import DPOP
from latchpin.oauth.status import TokenHealth, is_authorized, status_of
from latchpin.outbound.credential import FIELD, Credential
from latchpin.outbound.proofs import TokenProof
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import PinIssuer, subject_of
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.renewal import Renewal, Wanted, lease_of
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.schemes import require_scheme, wants_key
from latchpin.tokens.sealing import open_token
from latchpin.tokens.shared_renewals import LEASE_MARGIN, SharedRenewals, life_of_lease
from latchpin.tokens.usage import Usage

__all__ = ["TokenService", "UsableToken"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class UsableToken:
    """An access token or a key that was entered, open, with the record it came from.

    Attributes:
        credential: what is shown to the MCP server.
        stored: the record.
    """

    credential: Credential
    stored: StoredToken

    @property
    def access_token(self) -> str:
        """The token or key itself."""
        return self.credential.secret

    @property
    def proof(self) -> TokenProof | None:
        """The proofs for a token that is bound to a key; None: it is not."""
        return self.credential.proof

    async def fields(self, method: str, url: str) -> Sequence[tuple[str, str]]:
        """The header fields of one request; raises as ``Credential.fields`` does."""
        return await self.credential.fields(method, url)


class TokenService:
    """Keeps tokens per user and gateway; nobody is given another's.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the token endpoint.
        revoker: revokes what ends here, and what comes too late to be kept.
        usage: notes which connections are used.
        pin: remembers the issuer found on first use.
    """

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        *,
        usage: Usage,
        pin: PinIssuer,
    ) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._servers = servers
        self._proofs = endpoint.proofs
        self._revoker = revoker
        self._usage = usage
        self._renewal = Renewal(services, clients, endpoint, revoker, pin=pin)
        self._renewals = SharedRenewals(services, servers, self._renewal)

    def owner_of(self, gateway: Gateway, caller: Caller) -> str:
        """Whose token serves ``caller`` at ``gateway``: the caller's own, the company's, or the gateway's."""
        subject = subject_of(self._services, gateway.oauth) if gateway.oauth is not None else None
        if subject is not None:
            return caller.email if subject.personal else CLIENT_ITSELF
        return COMPANY if gateway.connection == "shared" else caller.email

    def account_of(self, gateway: Gateway, caller: Caller) -> tuple[str, str | None]:
        """Whose token serves ``caller``, and which of theirs by its label; None: their default there.

        Raises:
            InvalidRequest: the caller named an account where nobody has one, or all share one.
        """
        owner = self.owner_of(gateway, caller)
        if owner == caller.email and (gateway.auth_type != "none" or not caller.account):
            return owner, caller.account
        if caller.account:
            raise InvalidRequest(
                f"nobody has an account of their own at '{gateway.name}', and none is called {caller.account!a}",
                remedy="Leave the account out.",
            )
        return owner, ""

    async def stored_for(self, gateway: Gateway, caller: Caller) -> StoredToken | None:
        """The token that serves ``caller`` as it is stored, whatever it is good for; None if there is none.

        Raises:
            InvalidRequest: as ``account_of`` does.
            BackendUnavailable: the store cannot be asked.
        """
        return await self._tokens.get(gateway.id, *self.account_of(gateway, caller))

    async def check_room(self, gateway: Gateway, owner: str, label: str) -> None:
        """Go on only if the owner may have an account of that label there.

        Raises:
            InvalidRequest: it would be one too many.
            BackendUnavailable: the store cannot be asked.
        """
        there = await self._tokens.list(gateway_id=gateway.id, app_user_email=owner)
        if len(there) >= MOST_ACCOUNTS and label not in {each.label for each in there}:
            raise InvalidRequest(
                f"{len(there)} accounts at '{gateway.name}' are connected, and that is the limit",
                remedy="Disconnect one of them first.",
            )

    def told(self, gateway: Gateway, caller: Caller, error: AuthorizationRequired) -> LatchpinError:
        """What ``caller`` is told instead of ``error``, where somebody else has to authorize."""
        if self.owner_of(gateway, caller) != COMPANY or caller.is_admin:
            return error
        other = SharedConnectionMissing(error.detail)
        other.__cause__ = error
        return other

    def headers_of(self, gateway: Gateway) -> Sequence[str]:
        """The fields, in lower case, that show the gateway's server a token or key.

        Raises:
            PluginError: nothing that is installed offers its ``auth_type``.
        """
        return require_scheme(self._services, gateway).headers(gateway.api_key) if wants_key(gateway) else (FIELD,)

    # -- giving out ---------------------------------------------------------------------------------------

    async def token_for(self, gateway: Gateway, caller: Caller) -> UsableToken:
        """The caller's access token, renewed if it is about to expire.

        Raises:
            AuthorizationRequired: there is none, or it cannot be renewed.
            SharedConnectionMissing: the same, where an administrator has to authorize for all.
            InvalidRequest: as ``account_of`` does.
            IdentityAssertionRequired: the same, where the user's identity provider has to vouch for them.
            UpstreamError: it has expired, and the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
            PluginError: nothing that is installed offers the gateway's ``auth_type`` or grant.
        """
        owner, label = self.account_of(gateway, caller)
        stored = await self._tokens.get(gateway.id, owner, label)
        wanted = Wanted(gateway, owner, caller=caller, label=(label or "") if stored is None else stored.label)
        try:
            if stored is None or not self._renewal.serves(stored, wanted):
                stored = await self._renewals.newer(wanted)
            await self._usage.note(gateway.id, owner, stored.label)
            return self._open(wanted, stored)
        except AuthorizationRequired as exc:
            raise self.told(gateway, caller, exc) from exc

    async def usable(self, gateway: Gateway, stored: StoredToken, caller: Caller) -> UsableToken | None:
        """``stored``, open, if it serves ``caller`` as it is; None: ``token_for`` renews it, or says what is wrong."""
        wanted = Wanted(gateway, stored.app_user_email, caller=caller, label=stored.label)
        try:
            if not self._renewal.serves(stored, wanted):
                return None
            token = self._open(wanted, stored)
        except (AuthorizationRequired, PluginError):
            return None
        await self._usage.note(gateway.id, stored.app_user_email, stored.label)
        return token

    async def renew(self, gateway: Gateway, caller: Caller, refused: StoredToken) -> UsableToken:
        """A newer token than ``refused``, which the MCP server did not accept; raises as ``token_for`` does.

        Raises:
            AccessRefused: the gateway's own token was renewed for the same reason a moment ago.
        """
        owner = self.owner_of(gateway, caller)
        label = refused.label if refused.app_user_email == owner else ""
        wanted = Wanted(gateway, owner, than=refused, because="refused", caller=caller, label=label)
        try:
            return self._open(wanted, await self._renewals.newer(wanted))
        except AuthorizationRequired as exc:
            raise self.told(gateway, caller, exc) from exc

    async def refresh_ahead(self, gateway: Gateway, due: StoredToken) -> None:
        """Renew a token ahead of time, unless another worker is at it; raises as ``token_for`` does."""
        await self._renewals.newer(Wanted(gateway, due.app_user_email, than=due, because="due", label=due.label))

    def refused(self, gateway: Gateway, caller: Caller, stored: StoredToken, exc: LatchpinError) -> LatchpinError:
        """After the MCP server refused a fresh token too, ``stored``: what ``caller`` is told, to authorize again.

        It may have moved to another authorization server, so it is asked anew which one it has.
        """
        self._servers.forget(gateway.id)
        wanted = Wanted(gateway, stored.app_user_email, label=stored.label)
        required = self._renewal.required(wanted, f"the MCP server refuses a fresh token too: {exc.detail}")
        return self.told(gateway, caller, required)

    async def close(self) -> None:
        """Let renewals that are under way end, before the stores are closed: what a server has rotated must be kept."""
        await self._renewals.close()

    def _open(self, wanted: Wanted, stored: StoredToken) -> UsableToken:
        gateway = wanted.gateway
        scheme = require_scheme(self._services, gateway) if wants_key(gateway) else None
        secret = self._renewal.open(wanted, stored).access_token
        proof = TokenProof(self._proofs, gateway.id, secret) if stored.token_type == DPOP else None
        return UsableToken(Credential(secret, proof, scheme, gateway.api_key), stored)

    # -- looking and ending -------------------------------------------------------------------------------

    def health(self, stored: StoredToken | None) -> TokenHealth:
        """Judge a stored token by its times, and by whether a key we have opens it. Asks nobody."""
        now = self._services.clock()
        if stored is not None:
            try:
                open_token(self._services.cipher, stored)
            except Unsealable:
                return TokenHealth("needs_reauth", authorized=False, opens=False)
        return TokenHealth(status_of(stored, now), is_authorized(stored, now))

    async def disconnect(self, gateway: Gateway, owner: str, label: str = "") -> str | None:
        """Revoke upstream where offered, and delete here. Return what the server said, None if there was no token."""
        stored = await self._tokens.get(gateway.id, owner, label)
        if stored is None:
            return None
        await self._tokens.delete(gateway.id, owner, label)
        await self._services.tools.replace(gateway.id, owner, {}, label)
        # Last: it may take long, and nobody may use the token meanwhile.
        return (await self._revoker.revoke(gateway, stored)).answer

    async def choose(self, gateway_id: str, email: str, label: str) -> bool:
        """Make an account the one that serves its owner where none is named. False if there is no such account.

        Under the lease of its renewal, whose outcome would else have nowhere to be kept.

        Raises:
            UpstreamTimeout: a renewal of it is under way, and does not end.
            RecordConflict: it kept changing.
            BackendUnavailable: the store cannot be asked.
        """
        place, wait = lease_of(gateway_id, email, label), life_of_lease(self._services.settings)
        try:
            async with self._services.leases.hold("refresh", place, life=LEASE_MARGIN, wait=wait):
                return await self._note_choice(gateway_id, email, label)
        except TimeoutError as exc:
            raise UpstreamTimeout(str(exc)) from exc

    async def _note_choice(self, gateway_id: str, email: str, label: str) -> bool:
        for _ in range(_ATTEMPTS):
            stored = await self._tokens.get(gateway_id, email, label)
            if stored is None:
                return False
            chosen = replace(stored, revision=stored.revision + 1, chosen_at=self._services.clock())
            with suppress(RecordConflict):  # somebody has authorized it anew
                await self._tokens.put(chosen, replacing=stored)
                return True
        raise RecordConflict(f"the token of {email} kept changing while it was to be written")
