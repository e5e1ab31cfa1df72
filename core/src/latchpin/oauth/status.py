"""What a stored token is good for, in one word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from latchpin.model import StoredToken

__all__ = [
    "NEAR_EXPIRY_AT_MOST",
    "TokenHealth",
    "TokenStatus",
    "is_authorized",
    "near_expiry_from",
    "status_of",
    "status_of_times",
]

TokenStatus = Literal["missing", "valid", "near_expiry", "expired", "needs_reauth"]

NEAR_EXPIRY_AT_MOST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TokenHealth:
    """What a stored token is good for.

    Attributes:
        authorized: the gateway can act with it, or renew it without the user.
        opens: a key we have opens it.
    """

    status: TokenStatus
    authorized: bool
    opens: bool = True


def status_of(token: StoredToken | None, now: datetime) -> TokenStatus:
    """Judge a token by its times.

    ``near_expiry`` is the last fifth of its life, at most five minutes. ``expired`` says nothing about
    whether it can be renewed: see ``is_authorized``.
    """
    if token is None:
        return "missing"
    if token.needs_reauth:
        return "needs_reauth"
    return status_of_times(token.expires_at, token.updated_at, now)


def status_of_times(expires_at: datetime, updated_at: datetime, now: datetime) -> TokenStatus:
    """The same of a token that can be used, by its times alone."""
    left = expires_at - now
    if left <= timedelta(0):
        return "expired"
    return "near_expiry" if now >= near_expiry_from(expires_at, updated_at) else "valid"


def near_expiry_from(expires_at: datetime, updated_at: datetime) -> datetime:
    """From when on a token is near its end: the last fifth of its life, at most five minutes."""
    return expires_at - min(NEAR_EXPIRY_AT_MOST, (expires_at - updated_at) / 5)


def is_authorized(token: StoredToken | None, now: datetime) -> bool:
    """Whether the gateway can act with it: it is valid, or can be renewed without the user."""
    match status_of(token, now):
        case "valid" | "near_expiry":
            return True
        case "expired":
            return token is not None and token.refresh_token is not None
        case _:
            return False
