"""A server's refusals in our own words: its error codes, made safe to show, with a remedy each.

Codes and descriptions come from outside. A known code is explained by us; an unknown one and the server's
own description are cut to printable ASCII and a sane length, and what we sent is struck out of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from latchpin.errors import TokenRefused
from latchpin.errors.causes.refusals import SAID, TOKEN, TOKEN_REFUSED_AT_ALL

__all__ = ["INVALID_CLIENT", "explain_code", "plain_code", "plain_words", "token_refused"]

INVALID_CLIENT = "invalid_client"
"""The server does not know the client, or does not take its proof (RFC 6749 section 5.2)."""

UNNAMED = "unnamed_error"
_CODE_LIMIT = 64
_WORDS_LIMIT = 300
_NOT_IN_A_CODE = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")  # RFC 6749 section 5.2
_LONG_AND_OPAQUE = re.compile(r"[A-Za-z0-9_\-.~+/=]{32,}")
_SHORTEST_SECRET = 4


# What well-known servers say instead of the registered code.
_SYNONYMS = {
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "invalid_code": "invalid_grant",
    "code_already_used": "invalid_grant",
    "invalid_refresh_token": "invalid_grant",
    "refresh_token_not_found": "invalid_grant",
    "refresh_token_expired": "invalid_grant",
    "refresh_token_revoked": "invalid_grant",
    "refresh_token_reused": "invalid_grant",
    "refresh_token_already_used": "invalid_grant",
    "invalid_token": "invalid_grant",
    "expired_token": "invalid_grant",
    "token_expired": "invalid_grant",
    "token_revoked": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    "invalid_client_id": "invalid_client",
    "bad_client_secret": "invalid_client",
    "bad_redirect_uri": "redirect_uri_mismatch",
}


def plain_code(value: object) -> str:
    """An error code as text that is safe anywhere (RFC 6749's characters, at most 64 of them)."""
    if not isinstance(value, str):
        return UNNAMED
    return _NOT_IN_A_CODE.sub("", value)[:_CODE_LIMIT].strip() or UNNAMED


def plain_words(value: object, *, hidden: Collection[str] = ()) -> str:
    """A server's sentence, safe to show: printable ASCII, at most 300 characters, secrets struck out.

    Args:
        value: whatever came.
        hidden: what must not appear in it, such as the code or the refresh token that was sent. Long opaque
            words go too, whatever they are.
    """
    if not isinstance(value, str):
        return ""
    text = value
    for secret in hidden:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "(hidden)")
    text = _LONG_AND_OPAQUE.sub("(hidden)", text)
    return " ".join(_NOT_IN_A_CODE.sub(" ", text).split())[:_WORDS_LIMIT]


def explain_code(code: str) -> tuple[str, str]:
    """The registered code that ``code`` stands for, and what it means.

    Codes are compared without regard to case: some servers write them in capitals. An unknown code stands for itself.
    """
    plain = code.lower()
    registered = _SYNONYMS.get(plain, plain if plain in SAID else code)
    return registered, SAID.get(registered, "a code that this gateway does not know")


def token_refused(error: object, description: object, *, host: str, hidden: Collection[str] = ()) -> TokenRefused:
    """Build the error for a refusal of the token endpoint at ``host`` (RFC 6749 section 5.2).

    Its ``error`` is the registered code, also where the server used one of its own. The server's own words
    are only in ``detail``, which is for the flow's own user.
    """
    said = plain_code(error)
    registered, what = explain_code(said)
    words = plain_words(description, hidden=hidden)
    return TokenRefused(error=registered).explain_as(
        TOKEN.get(registered, TOKEN_REFUSED_AT_ALL),
        host=host,
        code=said,
        what=what,
        words=f' It adds: "{words}"' if words else "",
    )
