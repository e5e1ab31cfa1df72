"""Several accounts of one person at one server: what they may be called, and which serves where none is named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from latchpin.model.records import StoredToken

__all__ = ["LONGEST_LABEL", "MOST_ACCOUNTS", "default_of", "is_label", "name_account", "name_authorization"]

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


def is_label(text: str) -> bool:
    """Whether an account may be called so: 1 to 40 printable characters, without blanks around them."""
    return 1 <= len(text) <= LONGEST_LABEL and text.isprintable() and text.strip() == text


def name_account(owner: str, label: str) -> str:
    """One text for whose account it is and which: what is kept beside a token is found by it.

    For an account without a label it is the owner's name, as it was before there were labels.
    """
    return f"{owner}\n{label}" if label else owner


def name_authorization(token: StoredToken) -> str:
    """Names what a token came from. A renewal keeps it; only where it is not known does each token have its own."""
    return f"{token.id}:{token.flow_id or token.revision}"
