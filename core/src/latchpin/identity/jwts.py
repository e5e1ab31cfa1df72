"""Verifying JWTs (RFC 7519, RFC 8725): the algorithms are the key's, the clock is ours, the claims are all there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jwt

from latchpin.workers.bounded import Bounded

__all__ = ["END_OF_TIME", "Verifier", "decode_jwt", "explain_jwt", "read_key_id"]

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""No time in a token is as late, in seconds since 1970: what is has been made up, or is in milliseconds."""

MAX_REMEMBERED = 2048

_OPTIONS: Any = {
    "require": ["iss", "aud", "exp"],
    "verify_exp": False,  # our clock judges the times, below
    "verify_nbf": False,
    "verify_iat": False,
}


class NoDate(jwt.DecodeError):
    """A time in a token is none."""


class Verifier:
    """Verifies tokens under keys of our own, and remembers which it has proven.

    A token comes with many requests, and proving it costs more than most of them do otherwise. What is
    remembered is its hash with the claims; whether it has expired is judged anew each time.

    Args:
        algorithms: those of the keys.
    """

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._algorithms = algorithms
        self._proven: Bounded[tuple[bytes, str, tuple[str, ...], tuple[bytes, ...]], dict[str, Any]] = Bounded(
            MAX_REMEMBERED
        )

    def verify(
        self, token: str, keys: Sequence[bytes], *, issuer: str, audiences: tuple[str, ...], now: float
    ) -> dict[str, Any]:
        """Prove ``token`` and return its claims; arguments and errors are those of ``decode_jwt``."""
        digest = hashlib.sha256(token.encode("utf-8", "backslashreplace")).digest()
        proof = (digest, issuer, audiences, tuple(keys))
        claims = self._proven.get(proof)
        if claims is None:
            claims = decode_jwt(token, keys, self._algorithms, issuer=issuer, audiences=audiences, now=now)
            self._proven[proof] = claims
        else:
            _check_times(claims, now, 0)
        return dict(claims)


def decode_jwt(
    token: str,
    keys: Sequence[Any],
    algorithms: Sequence[str],
    *,
    issuer: str,
    audiences: tuple[str, ...],
    now: float,
    leeway: float = 0,
) -> dict[str, Any]:
    """Verify a JWT under the first of ``keys`` that fits; the algorithms are the keys', not the header's.

    Its ``aud`` holds one of ``audiences``, letter for letter.
    ``now`` is in seconds since 1970; ``leeway``, in seconds too, allows for another server's clock.

    Raises:
        jwt.InvalidTokenError: no key fits, a required claim is missing or another, or a time does not hold.
    """
    if not token.isascii():
        raise jwt.DecodeError("not ASCII")
    failure: jwt.InvalidTokenError = jwt.InvalidSignatureError("no key")
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=list(algorithms), issuer=issuer, audience=audiences, options=_OPTIONS
            )
        except jwt.InvalidSignatureError as exc:
            failure = exc
            continue
        except RecursionError as exc:
            raise jwt.DecodeError("nested too deeply") from exc
        _check_times(claims, now, leeway)
        return claims
    raise failure


def read_key_id(token: str) -> object:
    """The name of the key in the token's header, nothing of it proven.

    Raises:
        jwt.InvalidTokenError: it has no header that can be read.
    """
    try:
        return jwt.get_unverified_header(token).get("kid")
    except RecursionError as exc:
        raise jwt.DecodeError("nested too deeply") from exc


def explain_jwt(exc: jwt.InvalidTokenError) -> str:
    """Why a token was refused, in our own words: a library's text may repeat the token's content."""
    for kind, text in _REASONS:
        if isinstance(exc, kind):
            return text
    return "it is malformed"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (NoDate, "one of its times (exp, nbf, iat) is no date"),
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidSignatureError, "its signature does not hold"),
    (jwt.InvalidAudienceError, "its audience (aud) is another"),
    (jwt.InvalidIssuerError, "its issuer (iss) is another"),
    (jwt.MissingRequiredClaimError, "one of iss, aud and exp is missing"),
    (jwt.InvalidAlgorithmError, "its algorithm is not its key's"),
)


def _check_times(claims: Mapping[str, Any], now: float, leeway: float) -> None:
    expires, not_before = claims["exp"], claims.get("nbf", 0)
    if not all(_is_time(time) for time in (expires, not_before, claims.get("iat", 0))):
        raise NoDate
    if expires + leeway <= now:
        raise jwt.ExpiredSignatureError("expired")
    if not_before - leeway > now:
        raise jwt.ImmatureSignatureError("not yet")


def _is_time(value: object) -> bool:
    """Whether it is a date: neither infinite nor in milliseconds; NaN compares with nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < END_OF_TIME
