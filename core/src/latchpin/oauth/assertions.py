"""What an assertion says of itself, read before it is shown to anybody (RFC 7519, OpenID Connect Core section 2).

No signature is checked here, and nothing is granted on these words: whoever redeems an assertion checks its signature.
They are read to refuse early, and with a clear cause, what could not be redeemed, and what is about somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from latchpin.errors import InvalidRequest
from latchpin.model import IdentityAssertion
from latchpin.oauth import base64url

__all__ = ["ACCESS_TOKEN", "LONGEST_ASSERTION", "check_about", "parse_identity_assertion", "read_expiry", "type_of"]

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a type
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  a type
LONGEST_ASSERTION = 16_384
LONGEST_KEPT = timedelta(hours=24)
"""However long an assertion says that it lives: who signed in yesterday is asked for another."""

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 section 2.1


def parse_identity_assertion(token: str, *, issuer: str, client_id: str, now: datetime) -> IdentityAssertion:
    """Take an ID token that somebody hands in, if it is one for this gateway's client at that identity provider.

    Raises:
        InvalidRequest: it is no JWT, another provider's, for another client, or has expired; never repeats it.
    """
    claims = _read(token, 1)
    if claims is None:
        raise InvalidRequest("the ID token is not a signed JWT of at most 16 kB")
    if claims.get("iss") != issuer:
        raise InvalidRequest(f"the ID token's issuer (iss) is not {issuer}")
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidRequest(f"the ID token's audience (aud) is not this gateway's client there, {client_id}")
    expires_at = read_expiry(token)
    if expires_at is None or expires_at <= now:
        raise InvalidRequest("the ID token has expired, or does not say when it does")
    return IdentityAssertion(token, issuer, min(expires_at, now + LONGEST_KEPT), type_of(token))


def check_about(token: str, email: str, *, claim: str) -> None:
    """Insist that an assertion is about ``email``: nobody may act with what somebody else's provider said.

    Raises:
        InvalidRequest: it is about somebody else, or its address is not verified.
    """
    claims = _read(token, 1) or {}
    about = claims.get(claim)
    if not isinstance(about, str) or about.strip().lower() != email:
        raise InvalidRequest(f"the ID token's {claim} is not {email}")
    if claims.get("email_verified", True) not in (True, "true"):
        raise InvalidRequest("the ID token's e-mail address is not verified by its issuer")


def read_expiry(token: str) -> datetime | None:
    """When a JWT expires; None if it is none, or does not say."""
    expires = (_read(token, 1) or {}).get("exp")
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


def _read(token: str, part: int) -> Mapping[str, Any] | None:
    if len(token) > LONGEST_ASSERTION or not _JWT.fullmatch(token):
        return None
    text = token.split(".")[part]
    try:
        found = json.loads(base64url.decode(text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
