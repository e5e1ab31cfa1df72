"""People are known by their address; this is the one place where an address is read."""

from __future__ import annotations

from latchpin.errors import InvalidRequest

__all__ = ["MAX_EMAIL_CHARACTERS", "parse_email"]

MAX_EMAIL_CHARACTERS = 254
"""RFC 5321 section 4.5.3.1.3, as its erratum 1690 puts it."""


def parse_email(text: object) -> str:
    """Read an address that names a user: lower case, one ``@`` with something on both sides.

    Nothing is trimmed or repaired: two spellings of one user would be two users. Control characters,
    spaces and invisible characters are refused, because the address is shown to people and written to logs.

    Raises:
        InvalidRequest: it is not such an address; the detail says why without repeating it.
    """
    if not isinstance(text, str):
        raise InvalidRequest("the e-mail address is not text")
    if len(text) > MAX_EMAIL_CHARACTERS:
        raise InvalidRequest(f"the e-mail address has more than {MAX_EMAIL_CHARACTERS} characters")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise InvalidRequest("the e-mail address holds a space or a control character")
    if any(character.lower().isascii() and not character.isascii() for character in text):  # the Kelvin sign
        raise InvalidRequest("the e-mail address holds a character that only looks like a letter of ASCII")
    local, separator, domain = text.partition("@")
    if not (local and separator and domain) or "@" in domain:
        raise InvalidRequest("the e-mail address must have one @ with something on both sides, as in you@example.com")
    return text.lower()
