"""Several accounts of one person at one server: what they may be called, and which serves where none is named. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from latchpin.errors import InvalidRequest
from latchpin.model import StoredToken

__all__ = ["LONGEST_LABEL", "MOST_ACCOUNTS", "default_of", "parse_label"]

LONGEST_LABEL = 40
"""Characters."""
MOST_ACCOUNTS = 10
"""So many accounts one person may have at one gateway."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def default_of(tokens: Iterable[StoredToken]) -> StoredToken | None:
    """Of one person's tokens at one gateway, the one that serves where none is named.

    The one that was chosen last; where none was, the one without a label; where there is none, the oldest.
    """
    return min(tokens, key=_rank, default=None)


def _rank(token: StoredToken) -> tuple[float, bool, datetime, str]:
    chosen = (token.chosen_at or _NEVER) - _NEVER
    return -chosen.total_seconds(), token.label != "", token.created_at, token.id


def parse_label(text: str) -> str:
    """The label that ``text`` holds.

    Raises:
        InvalidRequest: it is none; says what is allowed.
    """
    label = text.strip()
    if not label or label != text or len(label) > LONGEST_LABEL or not label.isprintable():
        raise InvalidRequest(
            f"account holds {text[:LONGEST_LABEL]!a}: must be 1 to {LONGEST_LABEL} printable characters, "
            "with none but visible ones at both ends"
        )
    return label
