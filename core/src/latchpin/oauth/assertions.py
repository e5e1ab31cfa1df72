"""What an assertion says of itself, read before it is shown to anybody (RFC 7519, OpenID Connect Core section 2).

No signature is checked here, and nothing is granted on these words: whoever redeems an assertion checks its signature.
They are read to refuse early, and with a clear cause, what could not be redeemed, and what is about somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from latchpin.oauth import base64url

__all__ = ["ACCESS_TOKEN", "LONGEST_ASSERTION", "read_claims", "read_expiry", "type_of"]

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a type
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  a type
LONGEST_ASSERTION = 16_384

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
    kind = (_read(token, 0) or {}).get("typ")
    return ACCESS_TOKEN if isinstance(kind, str) and kind.lower() in _ACCESS_TOKEN_TYPES else ID_TOKEN


def read_claims(token: str) -> Mapping[str, Any]:
    """A JWT's claims as it says them, unproven; none if it is no JWT."""
    return _read(token, 1) or {}


def _read(token: str, part: int) -> Mapping[str, Any] | None:
    if len(token) > LONGEST_ASSERTION or not _JWT.fullmatch(token):
        return None
    text = token.split(".")[part]
    try:
        found = json.loads(base64url.decode(text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
