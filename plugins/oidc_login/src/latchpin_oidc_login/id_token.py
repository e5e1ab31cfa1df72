"""The ID token: signature by PyJWT through core's one verifier, and every claim that OpenID Connect wants checked.

OpenID Connect Core sections 2, 3.1.3.7 and 3.1.3.8. No I/O; the key was found by whoever calls.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from latchpin.sdk import identity
from latchpin.sdk.oauth import base64url

from latchpin_oidc_login.errors import IdTokenInvalid

__all__ = ["Expected", "check_id_token", "read_key_id"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ID token has to say.

    Attributes:
        access_token: what came with it; ``at_hash`` belongs to that.
        begun_at: when the sign-in began, or earlier; no ID token for it is older.
        leeway: how far the provider's clock may be off.
    """

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    access_token: str = field(repr=False)
    now: datetime
    begun_at: datetime
    leeway: timedelta


def read_key_id(token: str) -> object:
    """The name of the key in the token's header, nothing of it proven.

    Raises:
        IdTokenInvalid: it has no header that can be read.
    """
    try:
        return identity.read_key_id(token)
    except jwt.InvalidTokenError as exc:
        raise IdTokenInvalid("the ID token is malformed") from exc


def check_id_token(token: str, key: jwt.PyJWK, algorithms: Collection[str], expected: Expected) -> dict[str, Any]:
    """Prove the token and return its claims.

    Args:
        token: as it came.
        key: the published key that it names; the algorithm is this key's, whatever the header says.
        algorithms: those that the provider signs with.
        expected: what it has to say.

    Raises:
        IdTokenInvalid: the detail says what does not hold, without repeating it.
    """
    if key.algorithm_name not in algorithms:
        raise IdTokenInvalid(f"the key is for {key.algorithm_name}, which the provider does not sign with")
    try:
        claims = identity.decode_jwt(
            token,
            [key],
            [key.algorithm_name],
            issuer=expected.issuer,
            audiences=(expected.client_id,),
            now=expected.now.timestamp(),
            leeway=expected.leeway.total_seconds(),
        )
    except jwt.InvalidTokenError as exc:
        raise IdTokenInvalid(f"the ID token was refused: {identity.explain_jwt(exc)}") from exc
    _check_party(claims, expected.client_id)
    _check_issued(claims, expected)
    _check_nonce(claims, expected.nonce)
    _check_access_token(claims, expected.access_token, key.algorithm_name)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise IdTokenInvalid("the ID token has no sub")
    return claims


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """A token for several audiences, or handed out to another client, is not for us."""
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise IdTokenInvalid("the ID token has several audiences (aud) and does not say whose it is (azp)")
    if party is not None and party != client_id:
        raise IdTokenInvalid("the ID token was issued to another client (azp)")


def _check_issued(claims: Mapping[str, Any], expected: Expected) -> None:
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        raise IdTokenInvalid("the ID token has no time of issue (iat)")
    leeway = expected.leeway.total_seconds()
    if issued > expected.now.timestamp() + leeway:
        raise IdTokenInvalid("the ID token's time of issue (iat) is ahead of this gateway's clock")
    if issued < expected.begun_at.timestamp() - leeway:
        raise IdTokenInvalid("the ID token's time of issue (iat) is before the sign-in began")


def _check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "backslashreplace"), nonce.encode()):
        raise IdTokenInvalid("the ID token's nonce is not this sign-in's")


def _check_access_token(claims: Mapping[str, Any], access_token: str, algorithm: str) -> None:
    """``at_hash`` may be left out in this flow; where it is there, it holds."""
    said = claims.get("at_hash")
    if said is None:
        return
    # Ed25519 signs with SHA-512; the others have the hash's length in their names.
    digest = hashlib.new(f"sha{algorithm[2:] if algorithm != 'EdDSA' else '512'}", access_token.encode()).digest()
    own = base64url.encode(digest[: len(digest) // 2])
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "backslashreplace"), own.encode()):
        raise IdTokenInvalid("the ID token belongs to another access token (at_hash)")
