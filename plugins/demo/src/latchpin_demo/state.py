"""What the demo authorization server remembers: clients, grants, codes and tokens. All of it in memory.

Nothing here knows HTTP. Times come from the clock that the ledger is given.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Clock
from latchpin.sdk.oauth import base64url

__all__ = ["SCOPES", "ReceivedRequest", "Client", "Grant", "Issued", "InMemoryState", "Refusal"]

SCOPES = {"mcp:read": "See the server's tools and call them"}
"""Every scope the demo knows, with the sentence that the consent page shows."""

_CODE_LIFETIME = timedelta(seconds=60)


class Refusal(Exception):
    """An OAuth error answer (RFC 6749 section 5.2).

    Args:
        error: the registered code.
        description: a sentence for developers.
        status: of the HTTP answer where it is a direct one.
    """

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 7591 section 2). ``secret`` is None for a public one."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_method: str
    secret: str | None
    scope: str
    registration_access_token: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """An authorization request whose client, redirect URI, scopes, resource and challenge were checked."""

    client: Client
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    resource: str | None
    code_challenge: str


@dataclass(slots=True)
class Grant:
    """What one user allowed one client. Every code and token of it dies when it is revoked."""

    user: str
    client_id: str
    scopes: tuple[str, ...]
    resource: str | None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A pair of fresh tokens."""

    access_token: str
    refresh_token: str
    lifetime: timedelta
    grant: Grant


@dataclass(frozen=True, slots=True)
class _Code:
    request: ReceivedRequest
    grant: Grant
    expires_at: datetime


class InMemoryState:
    """The demo authorization server's memory.

    Args:
        clock: tells the time.
        token_lifetime: how long access tokens live.
    """

    def __init__(self, clock: Clock, *, token_lifetime: timedelta = timedelta(hours=1)) -> None:
        self.clients: dict[str, Client] = {}
        self.token_lifetime = token_lifetime
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._spent_codes: dict[str, Grant] = {}
        self._access: dict[str, tuple[Grant, datetime]] = {}
        self._refresh: dict[str, Grant] = {}
        self._spent_refresh: dict[str, Grant] = {}

    def put_client(self, *, name: str, redirect_uris: tuple[str, ...], auth_method: str, scope: str) -> Client:
        """Register a client; a secret is made unless ``auth_method`` is ``none``."""
        client = Client(
            id=secrets.token_hex(12),
            name=name,
            redirect_uris=redirect_uris,
            auth_method=auth_method,
            secret=None if auth_method == "none" else secrets.token_urlsafe(32),
            scope=scope,
            registration_access_token=secrets.token_urlsafe(32),
            issued_at=self._clock(),
        )
        self.clients[client.id] = client
        return client

    def delete_client(self, client: Client) -> None:
        """Forget a client; its grants end with it (RFC 7592 section 2.3)."""
        self.clients.pop(client.id, None)
        grants = [*self._refresh.values(), *(grant for grant, _ in self._access.values())]
        for grant in grants:
            grant.revoked = grant.revoked or grant.client_id == client.id

    def put_code(self, request: ReceivedRequest, user: str) -> str:
        """Issue the authorization code for what ``user`` just allowed."""
        code = secrets.token_urlsafe(32)
        grant = Grant(user, request.client.id, request.scopes, request.resource)
        self._codes[code] = _Code(request, grant, self._clock() + _CODE_LIFETIME)
        return code

    def redeem(self, code: str, client: Client, *, redirect_uri: str, verifier: str, resource: str | None) -> Issued:
        """Exchange a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6). A code that comes twice ends its grant.

        Raises:
            Refusal: ``invalid_grant`` or ``invalid_target``.
        """
        kept = self._codes.get(code)
        if spent := self._spent_codes.get(code):
            spent.revoked = True
        if kept is None or kept.grant.client_id != client.id:
            raise Refusal("invalid_grant", "The code is unknown, was used before, or belongs to another client.")
        self._spent_codes[code] = self._codes.pop(code).grant
        if kept.expires_at <= self._clock():
            raise Refusal("invalid_grant", "The code has expired.")
        if redirect_uri != kept.request.redirect_uri:
            raise Refusal("invalid_grant", "redirect_uri is not the one of the authorization request.")
        if not hmac.compare_digest(_challenge(verifier), kept.request.code_challenge):
            raise Refusal("invalid_grant", "code_verifier does not fit the code_challenge.")
        _check_resource(resource, kept.grant)
        return self._issue(kept.grant)

    def refresh(self, token: str, client: Client, *, scope: str | None, resource: str | None) -> Issued:
        """Rotate a refresh token (RFC 9700 section 4.14.2). A rotated one that comes again ends the grant.

        Raises:
            Refusal: ``invalid_grant``, ``invalid_scope`` or ``invalid_target``.
        """
        grant = self._refresh.get(token)
        if spent := self._spent_refresh.get(token):
            spent.revoked = True
        if grant is None or grant.revoked or grant.client_id != client.id:
            raise Refusal("invalid_grant", "The refresh token is unknown, revoked, or was used before.")
        if scope is not None and not set(scope.split()) <= set(grant.scopes):
            raise Refusal("invalid_scope", "More scope than was granted.")
        _check_resource(resource, grant)
        self._spent_refresh[token] = self._refresh.pop(token)
        return self._issue(grant)

    def revoke(self, token: str, client: Client) -> None:
        """End the grant that ``token`` belongs to (RFC 7009); an unknown or foreign token changes nothing."""
        access = self._access.get(token)
        grant = access[0] if access else self._refresh.get(token)
        if grant is not None and grant.client_id == client.id:
            grant.revoked = True

    def introspect(self, access_token: str) -> tuple[Grant, datetime] | None:
        """The grant behind a living access token and the token's end, or None."""
        found = self._access.get(access_token)
        if found is None or found[0].revoked or found[1] <= self._clock():
            return None
        return found

    def living(self) -> list[tuple[Grant, datetime]]:
        """Every living access token's grant, with the token's end."""
        return [found for token in self._access if (found := self.introspect(token))]

    def _issue(self, grant: Grant) -> Issued:
        issued = Issued(secrets.token_urlsafe(32), secrets.token_urlsafe(32), self.token_lifetime, grant)
        self._access[issued.access_token] = (grant, self._clock() + self.token_lifetime)
        self._refresh[issued.refresh_token] = grant
        return issued


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64url.encode(digest)


def _check_resource(resource: str | None, grant: Grant) -> None:
    if resource is not None and resource != grant.resource:
        raise Refusal("invalid_target", "resource is not the one that was granted.")
