"""One renewal by whoever holds its lease: whether it is needed, whether there is a way to it, and the request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import (
    AccessRefused,
    AuthorizationRequired,
    RecordConflict,
    TokenRefused,
    Unsealable,
    UpstreamUnreadable,
)
from latchpin.model import Caller, ClientCredentials, Gateway, StoredToken
from latchpin.oauth.lifetime import is_expired, is_fresh
from latchpin.oauth.refusal import INVALID_CLIENT
from latchpin.outbound.proofs import bound_of
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens import outcomes
from latchpin.tokens.client_grant import ClientGrant, PinIssuer, needs_browser
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.schemes import require_scheme, wants_key
from latchpin.tokens.sealing import API_KEY, OpenedToken, open_token

__all__ = ["Renewal", "Wanted", "lease_of"]

INVALID_GRANT = "invalid_grant"
_OF_NO_USE = frozenset({INVALID_GRANT, "interaction_required", "login_required", "consent_required"})
"""Refusals that no other try mends, only the person."""
_NOT_OF_THE_TOKEN = frozenset({INVALID_CLIENT, "slow_down", "temporarily_unavailable"})
"""Refusals that say nothing about the refresh token."""
MOST_REFUSALS = 3
"""So often a server may refuse one refresh token in words that could mean anything; then its owner authorizes again."""
_COUNTED_FOR = timedelta(days=30)
INVALID_TOKEN = "invalid_token"  # noqa: S105  an error code (RFC 6750 section 3.1)

ONCE_IN = timedelta(seconds=60)
"""A token that the MCP server refused is renewed; if it refuses the new one within this time, that does not help."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose token is wanted, and what will not do.

    Attributes:
        email: the owner's address, ``CLIENT_ITSELF`` or ``COMPANY``.
        than: one newer than this is wanted; None: any that is good for a while.
        because: it is ``expiring``; the MCP server ``refused`` it; or it is ``due`` in the background.
        caller: who asks, where somebody does.
        label: of which account; None: of the default one, for who only looks.
    """

    gateway: Gateway
    email: str
    than: StoredToken | None = None
    because: Literal["expiring", "refused", "due"] = "expiring"
    caller: Caller | None = None
    label: str | None = ""

    @property
    def place(self) -> tuple[str, ...]:
        """What its lease is called by."""
        return lease_of(self.gateway.id, self.email, self.label or "")


class Renewal:
    """Renews a token, once.

    Args:
        services: the gateway's services.
        clients: knows the client that acts at the server.
        endpoint: asks the token endpoint.
        revoker: revokes what comes too late to be kept.
        pin: remembers the issuer found on first use.
    """

    def __init__(
        self,
        services: Services,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        *,
        pin: PinIssuer,
    ) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._clients = clients
        self._endpoint = endpoint
        self._revoker = revoker
        self._without_browser = ClientGrant(services, clients, endpoint, revoker, pin)

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
            PluginError: nothing that is installed shows the gateway's server a key.
        """
        if wants_key(wanted.gateway):
            require_scheme(self._services, wanted.gateway)
            text = "no key has been entered for you yet" if stored is None else "the server no longer takes the key"
            raise self.required(wanted, text, needs_reauth=stored is not None)
        if stored is None:
            raise self.required(wanted, "you have not authorized this gateway yet", needs_reauth=False)
        if stored.needs_reauth:
            raise self.required(wanted, "the server no longer takes your refresh token")
        refresh_token = self.open(wanted, stored).refresh_token
        unusable = wanted.because == "refused" or is_expired(stored, self._services.clock())
        if refresh_token is None and unusable:
            raise self.required(wanted, "your token expired, and the server gave no refresh token")
        return refresh_token

    def open(self, wanted: Wanted, stored: StoredToken) -> OpenedToken:
        """Open a token to use it.

        Raises:
            AuthorizationRequired: no key we have opens it, or it was given for what the gateway was before.
        """
        if not _belongs(stored, wanted.gateway):
            raise self.required(wanted, "the gateway was changed since", needs_reauth=False)
        try:
            return open_token(self._services.cipher, stored)
        except Unsealable as exc:
            raise self.required(wanted, f"your stored token cannot be opened: {exc.detail}") from exc

    def required(self, wanted: Wanted, detail: str, *, needs_reauth: bool = True) -> AuthorizationRequired:
        """Only the user can help; with ``needs_reauth``, in spite of the token that is there."""
        url = self._services.settings.authorize_url(wanted.gateway.id, wanted.label or "")
        return AuthorizationRequired(detail, authorize_url=url, needs_reauth=needs_reauth)

    # -- renewing -----------------------------------------------------------------------------------------

    async def run(self, wanted: Wanted, found: FoundServer) -> StoredToken:
        """Renew. Whoever calls holds the lease.

        Raises:
            AuthorizationRequired: only the user can help.
            AccessRefused: the MCP server refuses the gateway's own fresh tokens.
            UpstreamError: the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self._tokens.get(wanted.gateway.id, wanted.email, wanted.label)
        if wanted.because == "refused" and stored is not None:
            await self._check_not_again(wanted, stored)
        try:
            renewed = await self._replace(wanted, found, stored)
        except RecordConflict as exc:
            newer = await self._tokens.get(wanted.gateway.id, wanted.email, wanted.label)
            if newer is not None and self.serves(newer, replace(wanted, than=stored)):
                return newer
            raise self.required(
                wanted, "your token was replaced or removed while it was renewed", needs_reauth=False
            ) from exc
        if wanted.because == "refused":
            end = self._services.clock() + ONCE_IN
            await self._services.kept.put(_mark(renewed), "refused", expires_at=end)
        return renewed

    async def _check_not_again(self, wanted: Wanted, stored: StoredToken) -> None:
        if await self._services.kept.get(_mark(stored)) is None:
            return
        text = f"the MCP server refused the token before this one too, less than {ONCE_IN.seconds} seconds ago"
        if not needs_browser(wanted.gateway):
            raise AccessRefused(text, error=INVALID_TOKEN)
        raise self.required(wanted, text)

    async def _replace(self, wanted: Wanted, found: FoundServer, stored: StoredToken | None) -> StoredToken:
        if not needs_browser(wanted.gateway):
            renew = self._without_browser.renew
            return await renew(wanted.gateway, found, stored, owner=wanted.email, caller=wanted.caller)
        return await self._refresh(wanted, found, stored)

    async def _refresh(self, wanted: Wanted, found: FoundServer, stored: StoredToken | None) -> StoredToken:
        refresh_token = self.renewable(wanted, stored)
        if stored is None or refresh_token is None:
            raise self.required(wanted, "your token was replaced while it was to be renewed", needs_reauth=False)
        client = await self._clients.existing(wanted.gateway, found.metadata)
        if client is None or client.client_id != stored.client_id or found.metadata.issuer != stored.issuer:
            raise self.required(wanted, "the client or server that issued your token was replaced")
        begun = await outcomes.begin(self._services, stored)
        try:
            bound = bound_of(wanted.gateway.id, found.metadata, stored)
            grant = await self._endpoint.refresh(
                found.metadata, client, refresh_token, resource=stored.resource, bound=bound
            )
        except (TokenRefused, UpstreamUnreadable) as exc:
            if await self._final(wanted.gateway, found, client, begun, exc):
                await outcomes.spend(self._services, begun)
                text = f"the server no longer takes your refresh token: {exc.detail}"
                raise self.required(wanted, text) from exc
            raise
        try:
            return await outcomes.keep(self._services, begun, grant, kept_refresh=refresh_token)
        except RecordConflict:
            await self._revoker.give_back(
                wanted.gateway.id, wanted.email, found.metadata, client, grant, label=begun.label
            )
            raise

    async def _final(
        self,
        gateway: Gateway,
        found: FoundServer,
        client: ClientCredentials,
        begun: StoredToken,
        exc: TokenRefused | UpstreamUnreadable,
    ) -> bool:
        """Whether no other try will help: the refusal says so, or came too often. A client that is gone is dropped."""
        if exc.retry_after is not None:
            return False
        if isinstance(exc, TokenRefused):
            issuer, reregister = found.metadata.issuer, self._clients.reregister
            if exc.error in _OF_NO_USE or await reregister(exc, gateway.id, issuer, client.client_id):
                return True
            counts = exc.error not in _NOT_OF_THE_TOKEN
        else:
            counts = exc.http_status is not None and 400 <= exc.http_status < 500  # noqa: PLR2004  HTTP
        return counts and await self._count(begun) >= MOST_REFUSALS

    async def _count(self, begun: StoredToken) -> int:
        """Count a refusal of this refresh token; a renewal or an authorization begins anew. The lease is held."""
        kept, name = self._services.kept, f"refusals:{begun.id}:{begun.updated_at.isoformat()}"
        count = int(await kept.take(name) or 0) + 1
        await kept.put(name, str(count), expires_at=self._services.clock() + _COUNTED_FOR)
        return count


def lease_of(gateway_id: str, owner: str, label: str) -> tuple[str, ...]:
    """What an account's lease is called by; without a label, as workers of earlier versions call it."""
    return (gateway_id, owner, *([label] if label else []))


def _belongs(stored: StoredToken, gateway: Gateway) -> bool:
    """Whether it was given for this gateway as it is: a change drops what there is, and may cross what comes late."""
    if wants_key(gateway):
        return stored.token_type == API_KEY and stored.resource == gateway.url
    return stored.token_type != API_KEY


def _version(token: StoredToken) -> tuple[str, int]:
    return token.id, token.revision


def _mark(token: StoredToken) -> str:
    return f"renewed:{token.id}:{token.revision}"
