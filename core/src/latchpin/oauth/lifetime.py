"""When a token is fresh, near its expiry, or expired. One rule for refreshing and for what people are shown."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.model import StoredToken

__all__ = ["is_expired", "is_fresh"]

EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires, or in the last fifth of a shorter life."""


def is_expired(token: StoredToken, now: datetime) -> bool:
    """Whether the token's lifetime is over."""
    return now >= token.expires_at


def is_fresh(token: StoredToken, now: datetime) -> bool:
    """Whether the token is good for a while: not so near its expiry that it should be renewed."""
    lifetime = token.expires_at - token.updated_at
    return now < token.expires_at - min(EARLY, lifetime / 5)
