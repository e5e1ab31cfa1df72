"""The ID tokens that people hand in: taken if they are about the caller, and for this gateway's client."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.errors import InvalidRequest
from latchpin.model import IdentityAssertion
from latchpin.sdk.oauth import read_claims, read_expiry, type_of

__all__ = ["check_about", "parse_identity_assertion"]

LONGEST_KEPT = timedelta(hours=24)
"""However long an assertion says that it lives: who signed in yesterday is asked for another."""


def parse_identity_assertion(token: str, *, issuer: str, client_id: str, now: datetime) -> IdentityAssertion:
    """Take an ID token that somebody hands in, if it is one for this gateway's client at that identity provider.

    Raises:
        InvalidRequest: it is no JWT, another provider's, for another client, or has expired; never repeats it.
    """
    claims = read_claims(token)
    if not claims:
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
    claims = read_claims(token)
    about = claims.get(claim)
    if not isinstance(about, str) or about.strip().lower() != email:
        raise InvalidRequest(f"the ID token's {claim} is not {email}")
    if claims.get("email_verified", True) not in (True, "true"):
        raise InvalidRequest("the ID token's e-mail address is not verified by its issuer")
