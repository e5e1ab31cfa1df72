"""How an address that names a person must be written; whoever reads one says in its own words what was wrong."""

from __future__ import annotations

import unicodedata

__all__ = ["MAX_EMAIL_CHARACTERS", "check_email"]

MAX_EMAIL_CHARACTERS = 254
"""RFC 5321 section 4.5.3.1.3, as its erratum 1690 puts it."""


def check_email(text: str) -> str:
    """Insist on one ``@`` with something on both sides; return the address in lower case.

    Nothing is trimmed or repaired: two spellings of one user would be two users. An accent that is written as a
    character of its own is refused too, since letters have one form in addresses (RFC 6532 section 3.1). Control
    characters, spaces and invisible characters are refused, because the address is shown to people and written to logs.

    Raises:
        ValueError: it is not such an address; the text goes on after "the e-mail address", without repeating it.
    """
    if len(text) > MAX_EMAIL_CHARACTERS:
        raise ValueError(f"has more than {MAX_EMAIL_CHARACTERS} characters")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("holds a space or a control character")
    if any(character.lower().isascii() and not character.isascii() for character in text):  # the Kelvin sign
        raise ValueError("holds a character that only looks like a letter of ASCII")
    local, separator, domain = text.partition("@")
    if not (local and separator and domain) or "@" in domain:
        raise ValueError("must have one @ with something on both sides, as in you@example.com")
    lowered = text.lower()
    if not unicodedata.is_normalized("NFC", lowered):
        raise ValueError("writes a letter and its accent as two characters (it is not in Unicode's form NFC)")
    return lowered
