"""The two cookies of a browser: its own, which binds an authorization to it, and that of a session."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

from latchpin.errors import InvalidRequest
from latchpin.identity.revocations import ended_at
from latchpin.identity.sessions import (
    SESSION,
    Session,
    cookie_name,
    parse_session,
    session_cookie_name,
    was_ended,
)
from latchpin.oauth import base64url
from latchpin.web.identity import services_of, signed_tokens_of

__all__ = [
    "browser_cookie",
    "clear_session_cookie",
    "new_browser_cookie",
    "session_of",
    "set_browser_cookie",
    "set_session_cookie",
]

BROWSER_COOKIE_BYTES = 32
BROWSER_COOKIE_LIFETIME = timedelta(days=30)
"""On top of STATE_TTL_SECONDS: a late callback must still be told that it is late, not that it is foreign."""

_BROWSER_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes as base64url
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9._-]*")  # base64url, alone or in a JWT
_NOTHING = '""'


def browser_cookie(request: Request) -> str | None:
    """The browser's own cookie, None if it has none that we made."""
    value = request.cookies.get(cookie_name("browser", services_of(request).settings.base_url))
    return value if value is not None and _BROWSER_VALUE.fullmatch(value) else None


def new_browser_cookie() -> str:
    """A value for a browser that has none: 32 random bytes."""
    return base64url.encode(secrets.token_bytes(BROWSER_COOKIE_BYTES))


def set_browser_cookie(request: Request, response: Response, value: str) -> None:
    """Give (or give again, so that it lasts from now on) the browser its cookie. Success does not clear it."""
    settings = services_of(request).settings
    seconds = settings.state_ttl_seconds + int(BROWSER_COOKIE_LIFETIME.total_seconds())
    _set_cookie(request, response, cookie_name("browser", settings.base_url), value, seconds)


async def session_of(request: Request) -> Session | None:
    """The session in the browser's cookie; None if there is none, or it has expired or was ended.

    It tells what there is to end, not who is asking: another identity may contradict it.
    """
    services = services_of(request)
    ticket = request.cookies.get(session_cookie_name(services.settings.base_url))
    try:
        session = parse_session(await signed_tokens_of(request).verify(SESSION, ticket)) if ticket else None
    except InvalidRequest:
        return None
    kept = services.kept
    if session is None or await was_ended(kept, session.id):
        return None
    end = await ended_at(kept, session.email)
    return None if end is not None and session.issued_at <= end else session


def set_session_cookie(request: Request, response: Response, ticket: str, *, lifetime: timedelta) -> None:
    """Sign the browser in."""
    name = session_cookie_name(services_of(request).settings.base_url)
    _set_cookie(request, response, name, ticket, int(lifetime.total_seconds()))


def clear_session_cookie(request: Request, response: Response) -> None:
    """Sign the browser out."""
    name = session_cookie_name(services_of(request).settings.base_url)
    _set_cookie(request, response, name, "", 0)


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    # SameSite=Lax, not Strict: the provider's redirect to the callback is a cross-site navigation. Written here: the
    # standard library's cookies cost more than the rest of a redirect, for values that may be any text.
    if not _COOKIE_VALUE.fullmatch(value):
        raise ValueError(f"the cookie {name} has a value that would have to be quoted")
    secure = "; Secure" if services_of(request).settings.secure else ""
    field = f"{name}={value or _NOTHING}; HttpOnly; Max-Age={seconds}; Path=/; SameSite=lax{secure}"
    response.raw_headers.append((b"set-cookie", field.encode()))
