"""A personal access token: what is known of it, and its text. Pure.

The text is ``lp_pat_<id>_<secret>``: the prefix lets people and secret scanners see what it is, the id finds the
document, and the secret proves it. Only a hash of the secret is kept.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchpin_authorization_server.random_secrets import hash_secret, is_secret

__all__ = [
    "PREFIX",
    "PersonalToken",
    "PresentedToken",
    "describe_token",
    "make_token",
    "name_personal_token",
    "parse_token",
]

PREFIX = "lp_pat_"

_TEXT = re.compile(rf"{PREFIX}(?P<id>[0-9a-f]{{32}})_(?P<secret>[A-Za-z0-9_-]{{43}})")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A text that may be a token, taken apart."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """What one person made for one program.

    Attributes:
        id: names it, and is no secret.
        email: the person.
        name: what the person calls it.
        resources: the URLs of the MCP endpoints that take it; empty: all that the person may use.
        used_at: when it was last used, to the hour; None: never.
        revision: of the document, for compare and swap.
    """

    id: str
    email: str
    name: str
    resources: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    secret_hash: str = field(repr=False)
    used_at: datetime | None = None
    revision: int = 0

    def has_secret(self, secret: str) -> bool:
        """Whether that is its secret; compared in constant time."""
        return is_secret(secret, self.secret_hash)

    def is_for(self, resource: str) -> bool:
        """Whether the MCP endpoint of that URL takes it."""
        return not self.resources or resource in self.resources


def make_token(
    *, email: str, name: str, resources: tuple[str, ...], now: datetime, expires_at: datetime
) -> tuple[PersonalToken, str]:
    """A new token and its text, which nobody can read again."""
    token_id, secret = secrets.token_hex(16), secrets.token_urlsafe(_SECRET_BYTES)
    token = PersonalToken(token_id, email, name, resources, now, expires_at, hash_secret(secret))
    return token, f"{PREFIX}{token_id}_{secret}"


def name_personal_token(token_id: str) -> str:
    """What a caller stands on who came with one; see ``Caller.stands_on``."""
    return f"personal-token:{token_id}"


def parse_token(text: str) -> PresentedToken | None:
    """Take a text apart; None if it cannot be a token."""
    found = _TEXT.fullmatch(text)
    return None if found is None else PresentedToken(found["id"], found["secret"])


def describe_token(token: PersonalToken) -> dict[str, Any]:
    """A token as JSON, without what proves it."""
    return {
        "id": token.id,
        "app_user_email": token.email,
        "name": token.name,
        "resources": list(token.resources),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "used_at": None if token.used_at is None else token.used_at.isoformat(),
    }
