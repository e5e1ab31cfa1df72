"""What is remembered between the redirect to the provider and the callback."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from latchpin.model.sealed import Sealed

__all__ = ["PendingAuthorization", "StateKey"]


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
