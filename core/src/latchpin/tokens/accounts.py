"""The account that a request names, of several that a person has at one server."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from latchpin.errors import InvalidRequest
from latchpin.model.accounts import LONGEST_LABEL, is_label

__all__ = ["ACCOUNT", "parse_account", "parse_label", "tell_account"]

ACCOUNT = "account"
"""The parameter of a query that names it."""


def parse_label(text: str) -> str:
    """The label that ``text`` is.

    Raises:
        InvalidRequest: it is none; says what is allowed.
    """
    if not is_label(text):
        raise InvalidRequest(
            f"{ACCOUNT} holds {text[:LONGEST_LABEL]!a}: must be 1 to {LONGEST_LABEL} printable characters, "
            "without blanks around them"
        )
    return text


def parse_account(query: bytes | str) -> str | None:
    """The label that a query names, ``""`` for the account without one; None if it names no account.

    Raises:
        InvalidRequest: it names one that cannot be, or several.
    """
    if not query:
        return None
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    named = _values(text)
    if len(named) > 1:
        raise InvalidRequest(f"{ACCOUNT} is given {len(named)} times")
    return (parse_label(named[0]) if named[0] else "") if named else None


def tell_account(label: str) -> dict[str, str]:
    """The detail of a fact that names an account; none for the one without a label.

    People choose labels, and some take an address, which no detail of a fact holds.
    """
    return {} if not label else {ACCOUNT: "(an address)" if "@" in label else label}


def _values(query: str) -> Sequence[str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as exc:
        raise InvalidRequest("the query cannot be read") from exc
    return [value for name, value in pairs if name == ACCOUNT]
