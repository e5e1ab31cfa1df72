"""Failures to answers: RFC 9457 problem documents for programs, a page with cause and remedy for people."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from latchpin.errors import (
    AuthorizationRequired,
    CallerError,
    LatchpinError,
    NotSignedIn,
    UpstreamError,
)
from latchpin.errors.causes import CAUSES, Cause
from latchpin.settings.core import CoreSettings
from latchpin.web import pages

__all__ = [
    "FLOW_ID",
    "Trace",
    "answer",
    "as_seen",
    "known_trace",
    "log_failure",
    "name_request",
    "one_line",
    "problem",
    "retry_after",
    "text_for",
    "trace_of",
    "wants_html",
]

_log = logging.getLogger("latchpin.web")

FLOW_ID = "latchpin.flow_id"
"""Where a request's scope has the id of the flow that it belongs to, if it belongs to one."""

_REQUEST_ID = "latchpin.request_id"


class Trace(NamedTuple):
    """What an answer and its lines in the log have in common.

    Attributes:
        kind: ``flow``, which ``latchpin flows show`` knows, or ``request``, which the log alone knows.
        id: 128 random bits.
    """

    kind: Literal["flow", "request"]
    id: str

    @property
    def member(self) -> str:
        """What it is called in problem documents and in the log."""
        return f"{self.kind}_id"


def answer(
    request: Request,
    error: LatchpinError,
    *,
    reveal: bool | None = None,
    headers: Mapping[str, str] | None = None,
    announce: bool = False,
    around: Mapping[str, Any] | None = None,
) -> Response:
    """The answer to a failed request; logs it once, unless ``error.logged`` says that somebody did.

    Args:
        request: decides between page and problem document by its Accept header.
        error: what happened.
        reveal: whether the detail may be shown. By default it is for what is the caller's own (``CallerError``)
            and for what their provider did; facts about stores and settings stay in the log.
        headers: added to the answer.
        announce: a page tells the gateway's other open pages that an authorization ended, and offers to begin another
            where it is known at which gateway, and may be told.
        around: what surrounds a page, of ``latchpin.web.frame``; by default there is no menu.
    """
    settings = request.app.state.services.settings
    page = wants_html(request)
    if page and _should_sign_in(request, error):  # no failure: nothing is logged
        target = quote(request.url.path.removeprefix(settings.base_path) + _query(request), safe="")
        return RedirectResponse(f"{settings.base_url}/login?next={target}", 303)
    trace = trace_of(request.scope, error)
    log_failure(error, trace)
    extra = {**_headers(error, request, settings.base_url), **(headers or {})}
    link = support_link(settings, error, reveal)
    if page:
        seen, detail = as_seen(error, reveal=reveal), text_for(error, reveal=reveal)
        return pages.failure(
            error,
            detail=detail,
            trace=trace,
            around=around or {"base": settings.base_path},
            seen=seen,
            support_link=link,
            headers=extra,
            announce=announce,
            gateway_id=error.gateway_id if reveal is not False else None,
        )
    return problem(error, base_url=settings.base_url, reveal=reveal, trace=trace, support_link=link, headers=extra)


def problem(
    error: LatchpinError,
    *,
    base_url: str,
    trace: Trace,
    reveal: bool | None = None,
    support_link: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A failure as an RFC 9457 document. ``cause`` is the stable code, ``remedy`` the one action that mends it."""
    seen = as_seen(error, reveal=reveal)
    document = {
        "type": f"{base_url}/problems/{seen.slug}",
        "title": seen.title,
        "status": error.status,
        "detail": text_for(error, reveal=reveal),
        "cause": seen.slug,
        "remedy": seen.remedy,
        "documentation": f"{base_url}/problems#{seen.slug}",
        trace.member: trace.id,
    }
    if support_link is not None:
        document["flow_url"] = support_link
    if isinstance(error, AuthorizationRequired):
        document["authorize_url"] = error.authorize_url
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, error.status, dict(headers or {}), media_type="application/problem+json")


def support_link(settings: CoreSettings, error: LatchpinError, reveal: bool | None) -> str | None:
    """Where the flow that failed can be looked at: it carries the id only, and opens for its user and administrators.

    None where no flow is proven to be this browser's, or flows are not kept.
    """
    if error.flow_id is None or reveal is False or not settings.flow_history_hours:
        return None
    return f"{settings.base_url}/flows/{error.flow_id}"


def text_for(error: LatchpinError, *, reveal: bool | None = None) -> str:
    """The public text, with the detail behind it if that may be shown."""
    shown = _may_show(error, reveal)
    public = as_seen(error, reveal=shown).public
    if not (shown and error.detail) or error.detail in public:
        return public
    return f"{public.rstrip('.')}: {error.detail}"


def as_seen(error: LatchpinError, *, reveal: bool | None = None) -> Cause:
    """The cause as this caller may know it: who may not know the facts is told the wider cause, if there is one."""
    wider = CAUSES.get(error.cause.general)
    if wider is not None and not _may_show(error, reveal):
        return wider
    return error.as_cause()


def trace_of(scope: MutableMapping[str, Any], error: LatchpinError | None = None) -> Trace:
    """The flow that ``error`` or the request belongs to; else the request by itself, the same ever after."""
    if error is not None and error.flow_id is not None:
        scope[FLOW_ID] = error.flow_id  # the access line names the flow too
    flow: str | None = scope.get(FLOW_ID)
    if flow is not None:
        return Trace("flow", flow)
    return Trace("request", scope.setdefault(_REQUEST_ID, secrets.token_hex(16)))


def name_request(scope: MutableMapping[str, Any], name: str) -> None:
    """Give the request an id that other requests have too: a sign-in is two, and no flow."""
    scope[_REQUEST_ID] = name


def known_trace(scope: MutableMapping[str, Any]) -> Trace | None:
    """The same for a request of which nothing had to be said: None where no id was made."""
    return trace_of(scope) if FLOW_ID in scope or _REQUEST_ID in scope else None


def wants_html(request: Request) -> bool:
    """Whether a person's browser asks for a page, as opposed to a program or a script."""
    return "text/html" in request.headers.get("accept", "")


def one_line(text: str, limit: int = 500) -> str:
    """``text`` for a log: no line breaks or other control characters, and not endless."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."


def log_failure(error: LatchpinError, trace: Trace) -> None:
    """Write one line about an expected failure, without a traceback, unless it was written before."""
    if error.logged:
        return
    error.logged = True
    facts = "; ".join(text for text in (error.detail, error.hint) if text)
    text = f"{error.public.rstrip('.')}: {facts}" if facts else error.public
    extra = {trace.member: trace.id, "cause": error.code}
    _log.warning("%s [cause=%s, %s %s]", one_line(text), error.code, trace.kind, trace.id, extra=extra)


def _may_show(error: LatchpinError, reveal: bool | None) -> bool:
    return isinstance(error, CallerError | UpstreamError) if reveal is None else reveal


def _headers(error: LatchpinError, request: Request, base_url: str) -> dict[str, str]:
    """What HTTP itself wants to be told (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    headers: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        refused = ', error="invalid_token"' if "authorization" in request.headers else ""
        headers["www-authenticate"] = f'Bearer realm="{base_url}"{refused}'
    if (seconds := retry_after(error)) is not None:
        headers["retry-after"] = str(seconds)
    return headers


def retry_after(error: LatchpinError) -> int | None:
    """After how many seconds the same may be tried again; None where that is not for time to mend."""
    seconds: int | None = getattr(error, "retry_after", None)
    busy = error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return seconds or (30 if busy else None)


def _should_sign_in(request: Request, error: LatchpinError) -> bool:
    """A person who simply is not signed in; what came and was refused is told instead."""
    return isinstance(error, NotSignedIn) and not error.detail and request.method in {"GET", "HEAD"}


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
