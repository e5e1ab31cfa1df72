"""Single fields of a token endpoint's answer, each from whatever came to a value that can be relied on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta

from latchpin.oauth.assertions import read_claims
from latchpin.oauth.scopes import keep_scopes

__all__ = ["LONGEST_LIFETIME", "read_id_token", "read_lifetime", "read_refresh_lifetime", "read_scopes", "read_subject"]

LONGEST_LIFETIME = timedelta(days=3650)
"""A server that promises more is taken at this; beyond, dates overflow."""

_MOST_GRANTED = 500  # more than are asked for: an administrator may enter 200, and servers add their own
_ID_TOKEN_LIMIT = 32 * 1024
_SUBJECT = re.compile(r"[\x20-\x7E]{1,255}")  # OpenID Connect Core section 2
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")


def read_lifetime(value: object, default: timedelta) -> timedelta:
    """``expires_in`` as a lifetime: a number or a numeric string, at most ten years.

    What is missing, zero, negative or not a number gives ``default``: servers say 0 for "does not expire",
    and no other reading of those helps anybody.
    """
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    if value >= LONGEST_LIFETIME.total_seconds():
        return LONGEST_LIFETIME
    seconds = math.floor(value) if value > 0 else 0
    return timedelta(seconds=seconds) if seconds else default


def read_refresh_lifetime(document: Mapping[str, object]) -> timedelta | None:
    """How long the refresh token is good, as GitHub and Keycloak call it; None where the server does not say.

    No RFC names it. Keycloak says 0 for one that does not end.
    """
    for name in ("refresh_token_expires_in", "refresh_expires_in"):
        lifetime = read_lifetime(document.get(name), timedelta(0))
        if lifetime:
            return lifetime if lifetime < LONGEST_LIFETIME else None
    return None


def read_scopes(value: object) -> tuple[str, ...] | None:
    """``scope`` as its parts, without what cannot be a scope (RFC 6749 section 3.3). None if absent.

    GitHub and Slack separate with commas; where blanks separate, a comma is part of a scope. Some servers
    answer with a list.
    """
    if isinstance(value, str):
        parts = value.split() if any(char.isspace() for char in value.strip()) else value.strip().split(",")
    elif isinstance(value, list):
        parts = [part for part in value if isinstance(part, str)]
    else:
        return None
    return keep_scopes(parts, most=_MOST_GRANTED)


def read_id_token(value: object) -> str | None:
    """What may be an ID token, unproven: three parts in ASCII and not endless. None for anything else."""
    if not isinstance(value, str) or not value.isascii() or len(value) > _ID_TOKEN_LIMIT:
        return None
    return value if value.count(".") == 2 else None  # noqa: PLR2004


def read_subject(id_token: object) -> str | None:
    """The ``sub`` of an ID token, whose signature need not be checked here.

    It came straight from the token endpoint over TLS (OpenID Connect Core section 3.1.3.7), and it only
    labels the account; nobody is signed in by it. What cannot be read gives None.
    """
    token = read_id_token(id_token)
    subject = read_claims(token, longest=_ID_TOKEN_LIMIT).get("sub") if token is not None else None
    return subject if isinstance(subject, str) and _SUBJECT.fullmatch(subject) else None
