"""The values that travel through the gateway: frozen, slotted, without behaviour that does I/O.

Times are aware ``datetime`` in UTC. A field whose type is ``Sealed`` holds ciphertext made by the
selected cipher, never a plain secret; what crosses a store is built only from these values. What is secret in a
value is left out when it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NewType

from latchpin.providers import Provider

Sealed = NewType("Sealed", str)
"""Ciphertext of a secret, as URL-safe text. Only a ``Cipher`` makes or opens one."""

JWT_BEARER: Literal["urn:ietf:params:oauth:grant-type:jwt-bearer"] = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""The grant that redeems a signed assertion (RFC 7523 section 2.1)."""

GrantType = Literal["authorization_code", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
AuthType = Literal["oauth", "none"]

CLIENT_ITSELF = "(client)"
"""Stands in ``app_user_email`` for a token that belongs to the gateway, not to a person."""


@dataclass(frozen=True, slots=True)
class IdentityAssertion:
    """What an identity provider says, in a token that it signed, of who somebody is.

    Attributes:
        token: to be shown to that provider only.
        issuer: the provider, by its ``iss``.
        token_type: what the provider is told that it is (RFC 8693 section 3).
    """

    token: str = field(repr=False)
    issuer: str
    expires_at: datetime
    token_type: str = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  a type


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as an identity source established it. ``email`` is lower case.

    ``assertion`` is the proof that came along, if a company's identity provider issued it.
    """

    email: str
    is_admin: bool = False
    via: Literal["bearer", "session", "proxy", "local"] = "session"
    session_id: str = ""
    assertion: IdentityAssertion | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an identity source may judge a request by.

    Attributes:
        peer: the address of the socket's other end, ``""`` where there is none (a unix socket).
        headers: lower-case name to every value received, in order.
        cookies: name to value.
    """

    peer: str
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """How one gateway does OAuth. ``None`` means: find it out (discovery, registration, the provider table).

    ``client_secret`` holds, for ``private_key_jwt``, the private key as PEM or JWK instead. ``provider`` names an entry
    of the provider table, or is ``none`` for a server that is to be treated as the standard has it.

    With the JWT bearer grant, either a workload vouches for the gateway itself (``assertion``, or the file of that
    name), or an identity provider vouches for each person (``identity_provider``, by default the settings').
    """

    grant_type: GrantType = "authorization_code"
    client_id: str | None = None
    client_secret: Sealed | None = None
    issuer: str | None = None
    authorization_url: str | None = None
    token_url: str | None = None
    redirect_uri: str | None = None
    scopes: tuple[str, ...] = ()
    resource: str | None = None
    omit_resource: bool | None = None
    audience: str | None = None
    token_endpoint_auth_method: str | None = None
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    scope_separator: str | None = None
    assume_pkce: bool | None = None
    provider: str | None = None
    dpop: bool | None = None
    assertion: Sealed | None = None
    assertion_file: str | None = None
    identity_provider: str | None = None
    identity_provider_token_url: str | None = None
    identity_provider_client_id: str | None = None
    identity_provider_client_secret: Sealed | None = None


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A company's identity provider, and this gateway's client there, with its secret open. Never stored."""

    issuer: str
    token_url: str | None
    client_id: str
    client_secret: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One MCP server behind the gateway.

    Attributes:
        id: 32 hexadecimal digits.
        url: the MCP server's endpoint.
        allowed_users: addresses or ``*@domain``; empty means everyone who is signed in.
        oauth: present exactly if ``auth_type`` is ``oauth``.
        pinned_issuer: the issuer found on first use; a different one later is not followed silently.
        revision: starts at 1 and grows by one with every change.
    """

    id: str
    name: str
    url: str
    auth_type: AuthType
    allowed_users: tuple[str, ...]
    oauth: OAuthConfig | None
    pinned_issuer: str | None
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StateKey:
    """Names one pending authorization: the signed state text and the gateway it was made for."""

    gateway_id: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """What is remembered between the redirect to the provider and the callback.

    Attributes:
        id: 32 hexadecimal digits, the row's own name.
        code_verifier: the sealed PKCE verifier (RFC 7636).
        issuer: the validated issuer that was asked, or None where none is known.
        iss_expected: the server promised ``iss`` in its answers (RFC 9207 section 3).
        token_url: the token endpoint that belongs to that issuer.
        resource: the resource indicator sent (RFC 8707), or None.
        scopes: what was asked for, in order.
        expires_at: the end of the state's lifetime; the store compares it with its own clock.
    """

    id: str
    key: StateKey
    code_verifier: Sealed
    app_user_email: str
    redirect_uri: str
    issuer: str | None
    iss_expected: bool
    token_url: str
    client_id: str
    resource: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One user's tokens for one gateway, sealed. Unique by ``gateway_id`` and ``app_user_email``.

    Attributes:
        id: 32 hexadecimal digits; a new authorization after a disconnect gets a new one.
        user_id: the provider's ``sub``, else the address.
        app_user_email: whose token this is at this gateway, or ``CLIENT_ITSELF``.
        issuer: who issued it; with ``resource`` it binds the token to where it may be sent.
        client_id: the client it was issued to.
        revision: 1 at first, one more with every write; see ``TokenRecords.put``.
        needs_reauth: the refresh token is spent; only a new authorization helps.
        refresh_begun_at: a refresh was begun and its outcome is not known yet.
        renew_at: from when on it is renewed in the background, where that is switched on; None: never.
        flow_id: the authorization that it came from, None where a client got it for itself.
    """

    id: str
    gateway_id: str
    user_id: str
    app_user_email: str
    issuer: str | None
    resource: str | None
    client_id: str
    access_token: Sealed
    refresh_token: Sealed | None
    token_type: str
    scopes: tuple[str, ...]
    expires_at: datetime
    revision: int
    needs_reauth: bool
    refresh_begun_at: datetime | None
    created_at: datetime
    updated_at: datetime
    renew_at: datetime | None = None
    flow_id: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client that an authorization server registered for us (RFC 7591). Unique by gateway and issuer.

    ``expires_at`` is the end of the client secret's life, None if it does not end. An inactive client is
    kept for the record and never used.
    """

    id: str
    gateway_id: str
    issuer: str
    client_id: str
    client_secret: Sealed | None
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    token_endpoint_auth_method: str
    registration_client_uri: str | None
    registration_access_token: Sealed | None
    created_at: datetime
    expires_at: datetime | None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class StoredTool:
    """One tool of an MCP server as one user sees it. Unique by gateway, user and ``name``.

    ``definition`` is the server's own JSON object (``name``, ``description``, ``inputSchema``, ...).
    """

    gateway_id: str
    app_user_email: str
    name: str
    definition: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ToolChanges:
    """What replacing a user's tools changed, as counts."""

    created: int
    updated: int
    removed: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer from upstream, already within the size cap.

    Attributes:
        url: what was asked, without its query.
        headers: lower-case name to value; repeated fields are joined with ``", "``.
        body: decoded bytes (after gzip and the like).
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """An authorization server's metadata (RFC 8414 section 2), as far as we use it, checked.

    ``source`` is the URL it came from, or ``"settings"`` where the gateway's own entry says it all.
    Endpoints are absolute http(s) URLs. ``extra`` is the whole document for what plugins read. ``provider`` is what is
    known of the server beyond its metadata, None for one that follows the standard. ``dpop`` is whether its tokens are
    to be bound to a key (RFC 9449), None if they are not.
    """

    issuer: str | None
    authorization_endpoint: str | None
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    scopes_supported: tuple[str, ...] | None = None
    code_challenge_methods_supported: tuple[str, ...] | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    grant_types_supported: tuple[str, ...] | None = None
    iss_parameter_supported: bool = False
    source: str = "settings"
    extra: Mapping[str, Any] = field(default_factory=dict)
    provider: Provider | None = None
    dpop: Literal["required", "offered"] | None = None


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client that acts at an authorization server, with its secret open. Never stored, never logged."""

    client_id: str
    client_secret: str | None = field(repr=False, default=None)
    auth_method: str = "none"


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token endpoint's answer, parsed (RFC 6749 section 5.1), secrets open. Never stored, never logged."""

    access_token: str = field(repr=False)
    token_type: str
    expires_at: datetime
    refresh_token: str | None = field(repr=False, default=None)
    scopes: tuple[str, ...] | None = None
    subject: str | None = None
    id_token: str | None = field(repr=False, default=None)
