"""The code that a device shows and a person types (RFC 8628 section 6.1). Pure.

Eight of twenty letters, 34 bits: no vowels, so that no word comes of it, and no digits, so that none is mistaken for a
letter.
"""

from __future__ import annotations

import secrets

__all__ = ["LETTERS", "make_user_code", "parse_user_code", "show_user_code"]

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8
_LONGEST_ENTRY = 40


def make_user_code() -> str:
    """A new one, without a hyphen."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def parse_user_code(entry: str) -> str | None:
    """What a person typed: hyphens, blanks and case make no difference. None if it cannot be a code."""
    if len(entry) > _LONGEST_ENTRY:
        return None
    letters = "".join(each for each in entry.upper() if each.isalnum())
    return letters if len(letters) == LENGTH and all(each in LETTERS for each in letters) else None


def show_user_code(code: str) -> str:
    """As people read it: ``XXXX-XXXX``."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"
