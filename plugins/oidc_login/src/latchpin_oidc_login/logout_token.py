"""The logout token: proven, and every claim checked (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6).

No I/O; the key was found by whoever calls.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt
from latchpin.sdk import identity

__all__ = ["LogoutRefused", "LogoutToken", "check_logout_token", "read_logout_key_id", "read_logout_token"]

EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = frozenset({"logout+jwt", "application/logout+jwt", "jwt"})
_LONGEST = 16_384
"""Characters of a token."""
_LONGEST_NAME = 1_024


class LogoutRefused(Exception):
    """What came is no logout of the provider's; the text says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """What a proven token says.

    Attributes:
        id: its own name (``jti``): it counts once.
        subject: whose sessions ended (``sub``); ``""``: it says which one alone.
        session: which session ended (``sid``); ``""``: all of that person.
    """

    id: str
    subject: str
    session: str
    expires_at: datetime


def read_logout_token(body: bytes) -> str:
    """The one ``logout_token`` of a form (section 2.5).

    Raises:
        LogoutRefused: there is none, or several.
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise LogoutRefused("the body is no form") from None
    tokens = [value for name, value in pairs if name == "logout_token"]
    if len(tokens) != 1 or not tokens[0] or len(tokens[0]) > _LONGEST:
        raise LogoutRefused("the form must have one logout_token")
    return tokens[0]


def read_logout_key_id(token: str) -> object:
    """The name of the key in the token's header, nothing of it proven.

    Raises:
        LogoutRefused: it has no header that can be read, or is a JWT of another type.
    """
    try:
        key_id = identity.read_key_id(token)
        kind = jwt.get_unverified_header(token).get("typ")
    except jwt.InvalidTokenError as exc:
        raise LogoutRefused("the logout token is malformed") from exc
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
        raise LogoutRefused("the token has another type (typ) than a logout token")
    return key_id


def check_logout_token(
    token: str,
    key: jwt.PyJWK | None,
    algorithms: Collection[str],
    *,
    issuer: str,
    client_id: str,
    now: datetime,
    leeway: timedelta,
) -> LogoutToken:
    """Prove the token.

    Args:
        token: as it came.
        key: the published key that it names, None if there is none; the algorithm is this key's, whatever it says.
        algorithms: those that the provider signs with.
        issuer: the provider's.
        client_id: the gateway's client there.
        now: the gateway's time.
        leeway: how far the provider's clock may be off.

    Raises:
        LogoutRefused: something does not hold.
    """
    if key is None:
        raise LogoutRefused("it is signed with a key that the provider does not publish")
    if key.algorithm_name not in algorithms:
        raise LogoutRefused("it is signed with an algorithm that the provider does not sign with")
    seconds = leeway.total_seconds()
    try:
        claims = identity.decode_jwt(
            token,
            [key],
            [key.algorithm_name],
            issuer=issuer,
            audiences=(client_id,),
            now=now.timestamp(),
            leeway=seconds,
        )
    except jwt.InvalidTokenError as exc:
        raise LogoutRefused(f"the logout token was refused: {identity.explain_jwt(exc)}") from exc
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1:
        raise LogoutRefused("it is for others too (aud)")
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or isinstance(issued, bool) or issued > now.timestamp() + seconds:
        raise LogoutRefused("its time of issue (iat) is missing, or ahead of this gateway's clock")
    _check_event(claims)
    said = LogoutToken(
        _name(claims, "jti"), _name(claims, "sub"), _name(claims, "sid"), datetime.fromtimestamp(claims["exp"], UTC)
    )
    if not said.id:
        raise LogoutRefused("it has no name (jti)")
    if not (said.subject or said.session):
        raise LogoutRefused("it names neither a person (sub) nor a session (sid)")
    return said


def _check_event(claims: Mapping[str, Any]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise LogoutRefused("its events have no back-channel logout")
    if "nonce" in claims:
        raise LogoutRefused("it has a nonce: that is an ID token's")


def _name(claims: Mapping[str, Any], claim: str) -> str:
    """A claim that is text; ``""`` if it is not there."""
    value = claims.get(claim, "")
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or (claim in claims and not value):
        raise LogoutRefused(f"its {claim} is no text, or too long")
    return value
