"""A server's refusals in our own words: its error codes, made safe to show, with a remedy each.

Codes and descriptions come from outside. A known code is explained by us; an unknown one and the server's
own description are cut to printable ASCII and a sane length, and what we sent is struck out of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from latchpin.errors import TokenRefused

__all__ = ["Explained", "explain", "plain_code", "plain_words", "token_refused"]

UNNAMED = "unnamed_error"
_CODE_LIMIT = 64
_WORDS_LIMIT = 300
_NOT_IN_A_CODE = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")  # RFC 6749 section 5.2
_LONG_AND_OPAQUE = re.compile(r"[A-Za-z0-9_\-.~+/=]{32,}")
_SHORTEST_SECRET = 4


class Explained(NamedTuple):
    """What a code means, and the one action that mends it."""

    meaning: str
    remedy: str


_AGAIN = "Start again with Authorize."
_OPERATOR = "Ask the server's operator, naming the time and this gateway's client_id."
_KNOWN = {
    "invalid_client": Explained(
        "it does not accept this gateway's client: unknown, deleted, or proven in the wrong way",
        "Check client_id, client_secret and token_endpoint_auth_method on the gateway; a client registered by "
        "DCR can be deleted and is then registered anew.",
    ),
    "invalid_grant": Explained(
        "the authorization code or refresh token is used up, expired, revoked, or belongs to another client or "
        "redirect URI",
        _AGAIN,
    ),
    "unauthorized_client": Explained(
        "this client may not use this kind of grant",
        "Allow the grant type for this client at the provider, or change grant_type on the gateway.",
    ),
    "invalid_scope": Explained(
        "it does not know one of the scopes, or does not grant it to this client",
        "Correct the scopes on the gateway.",
    ),
    "invalid_request": Explained(
        "it finds the request incomplete or contradictory",
        "Compare the gateway's redirect_uri, resource and token_endpoint_auth_method with what the provider expects.",
    ),
    "unsupported_grant_type": Explained(
        "it does not offer this kind of grant", "Change grant_type on the gateway to one that the provider offers."
    ),
    "invalid_target": Explained(
        "it does not issue tokens for the resource that was named (RFC 8707)",
        "Correct the gateway's resource, or set omit_resource if the provider does not know resources.",
    ),
    "access_denied": Explained("the user or a policy of the provider said no", _AGAIN),
    "server_error": Explained("it failed inside", "Try again later; if it repeats, ask the server's operator."),
    "temporarily_unavailable": Explained("it is overloaded or being maintained", "Try again later."),
    "slow_down": Explained("it was asked too often", "Try again later."),
}
# What well-known servers say instead of the registered code.
_SYNONYMS = {
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "invalid_code": "invalid_grant",
    "code_already_used": "invalid_grant",
    "invalid_refresh_token": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    "invalid_client_id": "invalid_client",
    "bad_client_secret": "invalid_client",
    "redirect_uri_mismatch": "invalid_request",
    "bad_redirect_uri": "invalid_request",
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


def explain(code: str) -> tuple[str, Explained]:
    """The registered code that ``code`` stands for, and what it means.

    An unknown code stands for itself.
    """
    registered = _SYNONYMS.get(code, code)
    return registered, _KNOWN.get(registered, Explained("a code that this gateway does not know", _OPERATOR))


def token_refused(error: object, description: object, *, host: str, hidden: Collection[str] = ()) -> TokenRefused:
    """Build the error for a refusal of the token endpoint at ``host`` (RFC 6749 section 5.2).

    Its ``error`` is the registered code, also where the server used one of its own. The server's own words
    are only in ``detail``, which is for the flow's own user.
    """
    said = plain_code(error)
    registered, explained = explain(said)
    words = plain_words(description, hidden=hidden)
    fact = f"{host} answered '{said}': {explained.meaning}."
    return TokenRefused(f'{fact} It adds: "{words}"' if words else fact, error=registered, remedy=explained.remedy)
