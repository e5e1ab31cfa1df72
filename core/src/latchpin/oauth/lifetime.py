"""When a token is fresh, near its expiry, or expired. One rule for refreshing and for what people are shown."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from latchpin.model import StoredToken

__all__ = ["POSTPONED", "choose_renewal", "fresh_until", "is_expired", "is_fresh"]

EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires, or in the last fifth of a shorter life."""

_USED_PART = 0.75
"""How much of the last fifth of their lives the moments of renewing in the background are spread over."""

POSTPONED = timedelta(minutes=5)
"""How long the background leaves a token alone once a renewal of it was begun, or could not be."""


def is_expired(token: StoredToken, now: datetime) -> bool:
    """Whether the token's lifetime is over."""
    return now >= token.expires_at


def fresh_until(token: StoredToken) -> datetime:
    """When the token comes so near its expiry that it should be renewed."""
    lifetime = token.expires_at - token.updated_at
    return token.expires_at - min(EARLY, lifetime / 5)


def is_fresh(token: StoredToken, now: datetime) -> bool:
    """Whether the token is good for a while."""
    return now < fresh_until(token)


def choose_renewal(token: StoredToken) -> datetime:
    """When a token is renewed in the background: in the last fifth of its life, each at a moment of its own.

    Tokens that were issued together must not all be renewed together. The moment follows from the token's id and
    revision, so that it is the same wherever it is computed. The end of that fifth is left to those that have to
    wait for their turn.
    """
    fifth = (token.expires_at - token.updated_at) / 5
    digest = hashlib.sha256(f"{token.id}:{token.revision}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    return token.expires_at - fifth + fifth * share * _USED_PART
