"""What an assertion says of itself, read before it is shown to anybody (RFC 7519, OpenID Connect Core section 2).

No signature is checked here, and nothing is granted on these words: whoever redeems an assertion checks its signature.
They are read to refuse early, and with a clear cause, what could not be redeemed, and what is about somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

__all__ = ["ACCESS_TOKEN", "LONGEST_ASSERTION", "read_claims", "read_expiry", "type_of"]

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a type
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  a type
LONGEST_ASSERTION = 16_384

_NONE: Mapping[str, Any] = {"header": {}, "payload": {}}
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 section 2.1


def read_expiry(token: str) -> datetime | None:
    """When a JWT expires; None if it is none, or does not say."""
    expires = read_claims(token).get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        return None
    try:
        return datetime.fromtimestamp(expires, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def type_of(token: str) -> str:
    """What a JWT is called in a token exchange (RFC 8693 section 3): an ID token, unless it says access token."""
    kind = _read(token)["header"].get("typ")
    return ACCESS_TOKEN if isinstance(kind, str) and kind.lower() in _ACCESS_TOKEN_TYPES else ID_TOKEN


def read_claims(token: str, *, longest: int = LONGEST_ASSERTION) -> Mapping[str, Any]:
    """A JWT's claims as it says them, unproven; none if it is no JWT, or has more than ``longest`` characters."""
    claims: Mapping[str, Any] = _read(token, longest)["payload"]
    return claims


def _read(token: str, longest: int = LONGEST_ASSERTION) -> Mapping[str, Any]:
    """Header and payload as they stand there."""
    import jwt  # noqa: PLC0415  slow to load, and not needed for a list of plugins

    if len(token) <= longest and _JWT.fullmatch(token):
        with suppress(jwt.InvalidTokenError, RecursionError):
            return jwt.decode_complete(token, options={"verify_signature": False})
    return _NONE
