"""What other servers answer, parsed, and the client that asks them. Nothing of it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from latchpin.model.server_profile import ServerProfile

__all__ = ["ClientCredentials", "Reply", "ServerMetadata", "TokenGrant"]


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
    to be bound to a key (RFC 9449), None if they are not. ``passed_over`` is what of the document was odd and did not
    decide, a phrase each.
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
    provider: ServerProfile | None = None
    dpop: Literal["required", "offered"] | None = None
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client that acts at an authorization server, with its secret open. Never stored, never logged."""

    client_id: str
    client_secret: str | None = field(repr=False, default=None)
    auth_method: str = "none"


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token endpoint's answer, parsed (RFC 6749 section 5.1), secrets open. Never stored, never logged.

    ``passed_over`` says in words what of the answer could not be used; it holds no secret. ``refresh_ends_at`` is when
    the refresh token ends, where the server says so.
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_at: datetime
    refresh_token: str | None = field(repr=False, default=None)
    scopes: tuple[str, ...] | None = None
    subject: str | None = None
    id_token: str | None = field(repr=False, default=None)
    passed_over: tuple[str, ...] = ()
    refresh_ends_at: datetime | None = field(repr=False, default=None)
