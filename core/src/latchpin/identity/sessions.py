"""Sessions of people in browsers: a signed ticket in a cookie, and a note in the store once it is ended."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from latchpin.contracts import KeyValueRecords
from latchpin.errors import InvalidRequest
from latchpin.identity.address import parse_email
from latchpin.identity.signed_tokens import SignedTokens

__all__ = [
    "SESSION",
    "Session",
    "cookie_name",
    "end_named_session",
    "end_session",
    "new_session_id",
    "parse_session",
    "session_cookie_name",
    "start_session",
    "was_ended",
]

SESSION = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """What a session ticket says. One that does not say when it was issued is of an earlier version."""

    id: str
    email: str
    is_admin: bool
    issued_at: datetime
    expires_at: datetime


def new_session_id() -> str:
    """A name for a new session: 128 random bits. Who knows it can end the session, and nothing else."""
    return secrets.token_urlsafe(16)


async def start_session(
    signed_tokens: SignedTokens, email: str, *, admin: bool, lifetime: timedelta, session_id: str | None = None
) -> str:
    """Make the cookie value of a new session."""
    claims = {"sub": email, "sid": session_id or new_session_id(), "admin": admin}
    return await signed_tokens.sign(SESSION, claims, lifetime=lifetime)


def parse_session(claims: Mapping[str, Any]) -> Session:
    """Read a verified ticket. Raises InvalidRequest if it lacks something."""
    session_id = claims.get("sid")
    if not isinstance(session_id, str) or not session_id:
        raise InvalidRequest("the session has no id")
    issued_at, expires_at = (datetime.fromtimestamp(claims.get(name, 0), UTC) for name in ("iat", "exp"))
    return Session(session_id, parse_email(claims.get("sub")), claims.get("admin") is True, issued_at, expires_at)


async def end_session(kept: KeyValueRecords, session: Session) -> None:
    """Make a session useless before it expires, for whoever holds a copy of its cookie.

    The note lasts as long as the ticket would: SESSION_LIFETIME_SECONDS may be another by then.
    """
    await end_named_session(kept, session.id, until=session.expires_at)


async def end_named_session(kept: KeyValueRecords, session_id: str, *, until: datetime) -> None:
    """The same for a session of which the name is known; it expires at ``until``, or earlier."""
    await kept.put(_ended(session_id), "1", expires_at=until)


async def was_ended(kept: KeyValueRecords, session_id: str) -> bool:
    """Whether somebody signed out of that session."""
    return await kept.get(_ended(session_id)) is not None


def _ended(session_id: str) -> str:
    return f"session-ended:{session_id}"


def session_cookie_name(base_url: str) -> str:
    """The session cookie's name at this public URL."""
    return cookie_name("session", base_url)


@functools.cache
def cookie_name(purpose: str, base_url: str) -> str:
    """A cookie's name: ``__Host-latchpin-<purpose>`` over https, the port in it over loopback http.

    ``__Host-`` keeps neighbouring hosts from planting one (RFC 6265bis section 4.1.3.2). Over http browsers
    refuse it, and cookies ignore the port, so two gateways on one machine would overwrite each other's.
    """
    parts = urlsplit(base_url)
    return f"__Host-latchpin-{purpose}" if parts.scheme == "https" else f"latchpin-{purpose}-{parts.port or 80}"
