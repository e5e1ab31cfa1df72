"""Proof that a form was sent by one of our own pages (cross-site request forgery, RFC 9700 section 4.7).

Two checks, and both must hold: what the browser says about where the request comes from, and a signed
token that only our pages show. ``Referrer-Policy: no-referrer`` makes browsers send ``Origin: null`` with
our own forms; ``Sec-Fetch-Site`` is then what tells.
"""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request

from latchpin.errors import CsrfRefused, InvalidRequest
from latchpin.model import Caller
from latchpin.model.urls import origin_of
from latchpin.web.identity import services_of, signed_tokens_of

__all__ = ["CSRF_FIELD", "CSRF_HEADER", "check_csrf", "check_same_origin", "csrf_token", "proves_intent"]

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
CSRF_LIFETIME = timedelta(hours=12)
_PURPOSE = "csrf"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def csrf_token(request: Request, caller: Caller) -> str:
    """The token for the forms of a page shown to ``caller``; good for this caller's session only."""
    return await signed_tokens_of(request).sign(_PURPOSE, {"sub": _subject(caller)}, lifetime=CSRF_LIFETIME)


async def check_csrf(request: Request, caller: Caller) -> None:
    """Prove that the request was meant: by the caller's own proof (``Caller.proves_intent``), else by the form token.

    A page of another site cannot add a header such as Authorization, but a proxy in between may: where the
    browser says that the request is another site's, such a proof does not help either.

    Raises:
        CsrfRefused: it may have been sent by somebody else's page.
    """
    if caller.proves_intent:
        _check_fetch_site(request)
        return
    check_same_origin(request)
    token = request.headers.get(CSRF_HEADER) or await _form_token(request)
    if not token:
        raise CsrfRefused(f"the form field '{CSRF_FIELD}' or the header '{CSRF_HEADER}' is missing")
    try:
        claims = await signed_tokens_of(request).verify(_PURPOSE, token)
    except InvalidRequest as exc:
        raise CsrfRefused(exc.detail) from exc
    if claims.get("sub") != _subject(caller):
        raise CsrfRefused("the form was made for another session")


def proves_intent(request: Request, caller: Caller) -> bool:
    """Whether a request without a form shows that its caller meant it; see ``check_csrf``."""
    return caller.proves_intent and request.headers.get("sec-fetch-site") in _OURS


def check_same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent.

    Raises:
        CsrfRefused: the browser names another site, or says nothing at all about where it comes from.
    """
    site = _check_fetch_site(request)
    origin = request.headers.get("origin")
    ours = origin_of(services_of(request).settings.base_url)
    if origin not in {None, "null", ours}:
        raise CsrfRefused("the Origin header names another site")
    if site is None and origin != ours:
        raise CsrfRefused("neither Sec-Fetch-Site nor Origin says that the form is ours")


def _check_fetch_site(request: Request) -> str | None:
    """What Sec-Fetch-Site says, None where the browser (or program) does not send it."""
    site = request.headers.get("sec-fetch-site")
    if site not in _OURS:
        raise CsrfRefused(f"the browser says that the request is {site if site in _SITES else 'foreign'}")
    return site


_OURS = frozenset({None, "same-origin"})
_SITES = frozenset({"cross-site", "same-site", "none"})


async def _form_token(request: Request) -> str:
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    value = (await request.form()).get(CSRF_FIELD)
    return value if isinstance(value, str) else ""


def _subject(caller: Caller) -> str:
    return f"{caller.via} {caller.session_id} {caller.email}"
