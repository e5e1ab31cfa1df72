"""The gateway's clock."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["utc_now"]


def utc_now() -> datetime:
    """The clock that is used unless a test moves its own."""
    return datetime.now(UTC)
