"""The ids of gateways and flows."""

from __future__ import annotations

import re

__all__ = ["ID_PATTERN", "is_id"]

ID_PATTERN = "^[0-9a-f]{32}$"
"""128 random bits in hexadecimal digits."""

_ID = re.compile("[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return _ID.fullmatch(text) is not None
