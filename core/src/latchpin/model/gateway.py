"""An MCP server behind the gateway, and how it does OAuth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from latchpin.model.sealed import Sealed

__all__ = [
    "OAUTH_SECRETS",
    "ApiKeyConfig",
    "AuthType",
    "ConnectionKind",
    "Gateway",
    "IdentityProvider",
    "JWT_BEARER",
    "OAuthConfig",
]

OAUTH_SECRETS = ("client_secret", "assertion", "identity_provider_client_secret")
"""The fields of an ``OAuthConfig`` that go in and never come out."""

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""The grant that redeems a signed assertion (RFC 7523 section 2.1)."""

AuthType = str
"""``oauth``, ``none``, or the name of an ``AuthScheme`` that a plugin offers, such as ``api_key``."""

ConnectionKind = Literal["own", "shared"]
"""Whose account is used: each person's own, or one that an administrator connects for all whom the gateway allows."""


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """How one gateway does OAuth, with ``authorization_code`` or a grant that a plugin offers.

    ``None`` means: find it out (discovery, registration, the provider table).

    ``client_secret`` holds, for ``private_key_jwt``, the private key as PEM or JWK instead. ``provider`` names an entry
    of the provider table, or is ``none`` for a server that is to be treated as the standard has it.

    With the JWT bearer grant, either a workload vouches for the gateway itself (``assertion``, or the file of that
    name), or an identity provider vouches for each person (``identity_provider``, by default the settings').
    """

    grant_type: str = "authorization_code"
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
class ApiKeyConfig:
    """Where a key that somebody entered goes: in which header field, after which prefix (``"Bearer "``)."""

    header: str = "Authorization"
    prefix: str = "Bearer "


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
        allowed_users: addresses, ``*@domain`` or ``group:name``; empty means everyone who is signed in.
        oauth: present exactly if ``auth_type`` is ``oauth``.
        pinned_issuer: the issuer found on first use; a different one later is not followed silently.
        revision: starts at 1 and grows by one with every change.
        connection: whose account is used at the server.
        api_key: where keys go, if ``auth_type`` names a scheme whose keys may go in several places.
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
    connection: ConnectionKind = "own"
    api_key: ApiKeyConfig | None = None
