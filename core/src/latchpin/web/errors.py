"""Failures to answers: RFC 9457 problem documents for programs, a page with cause and remedy for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from latchpin.contracts import NavigationEntry
from latchpin.errors import (
    AuthorizationRequired,
    CallerError,
    LatchpinError,
    NotSignedIn,
    UpstreamError,
)
from latchpin.errors.causes import CAUSES, Cause
from latchpin.web import pages
from latchpin.web.hosts import read_header
from latchpin.web.traces import Trace, log_failure, trace_of

__all__ = [
    "FailureText",
    "answer",
    "answer_program",
    "as_seen",
    "navigation_of",
    "problem",
    "send_to_sign_in",
    "tell_failure",
    "text_for",
    "wants_html",
]

_log = logging.getLogger("latchpin.web")
_FOR_PEOPLE = "latchpin.for_people"


def answer(
    request: Request,
    error: LatchpinError,
    *,
    headers: Mapping[str, str] | None = None,
    announce: bool = False,
    around: Mapping[str, Any] | None = None,
) -> Response:
    """The answer to a failed request; logs it once, unless ``error.logged`` says that somebody did.

    Args:
        request: decides between page and problem document by its Accept header.
        error: what happened.
        headers: added to the answer.
        announce: a page tells the gateway's other open pages that an authorization ended, and offers to begin another
            where it is known at which gateway, and may be told.
        around: what surrounds a page, of ``latchpin.web.frame``; by default there is no menu.
    """
    settings = request.app.state.services.settings
    page = wants_html(request)
    if (page or request.scope.get(_FOR_PEOPLE, False)) and _should_sign_in(
        request, error
    ):  # no failure: nothing is logged
        target = quote(request.url.path.removeprefix(settings.base_path) + _query(request), safe="")
        return RedirectResponse(f"{settings.base_url}/login?next={target}", 303)
    trace = trace_of(request.scope, error)
    log_failure(error, trace)
    extra = {**_headers(error, request, settings.base_url), **(headers or {})}
    link = support_link(request, error)
    if page:
        return pages.failure(
            error,
            detail=text_for(error),
            trace=trace,
            around=around or {"base": settings.base_path},
            seen=as_seen(error),
            support_link=link,
            headers=extra,
            announce=announce,
            gateway_id=error.gateway_id if error.shows_detail is not False else None,
        )
    return problem(error, base_url=settings.base_url, trace=trace, support_link=link, headers=extra)


def answer_program(
    scope: MutableMapping[str, Any],
    error: LatchpinError,
    *,
    base_url: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer a failed request of a plain ASGI route, whose callers are programs; logs the failure once.

    Args:
        scope: the request's.
        error: what happened.
        base_url: BASE_URL.
        headers: added to the answer; ``Retry-After`` is there where waiting helps.
    """
    trace = trace_of(scope, error)
    log_failure(error, trace)
    return problem(error, base_url=base_url, trace=trace, headers={**_when_again(error), **(headers or {})})


class FailureText(NamedTuple):
    """A failure as a page tells it where the answer has begun already.

    Attributes:
        code: the cause's slug.
        trace: what to look for in the log.
        authorize_url: where the person may authorize, if that mends it.
    """

    heading: str
    text: str
    remedy: str
    code: str
    trace: Trace
    authorize_url: str | None


def tell_failure(request: Request, exc: Exception) -> FailureText:
    """Log ``exc`` and say what the person may read of it; of what nobody foresaw, nothing."""
    error = exc if isinstance(exc, LatchpinError) else LatchpinError()
    trace = trace_of(request.scope, error)
    if error is exc:
        log_failure(error, trace)
    else:
        _log.error("Unexpected %s while a page grew [%s %s]", type(exc).__name__, *trace, exc_info=exc)
    seen, url = as_seen(error), getattr(error, "authorize_url", None)
    return FailureText(seen.title, text_for(error), seen.remedy, seen.slug, trace, url)


def problem(
    error: LatchpinError,
    *,
    base_url: str,
    trace: Trace,
    support_link: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A failure as an RFC 9457 document. ``cause`` is the stable code, ``remedy`` the one action that mends it."""
    seen = as_seen(error)
    document = {
        "type": f"{base_url}/problems/{seen.slug}",
        "title": seen.title,
        "status": error.status,
        "detail": text_for(error),
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


def support_link(request: Request, error: LatchpinError) -> str | None:
    """Where the flow that failed can be looked at: it carries the id only, and opens for its user and administrators.

    None where no flow is proven to be this browser's, or no plugin shows flows.
    """
    if error.flow_id is None or error.shows_detail is False:
        return None
    path = next((entry.path for entry in navigation_of(request) if entry.place == "flow"), None)
    base_url = request.app.state.services.settings.base_url
    return None if path is None else f"{base_url}{path.replace('{flow_id}', error.flow_id)}"


def navigation_of(request: Request) -> Sequence[NavigationEntry]:
    """The links that plugins offer, of whatever place."""
    offered: Sequence[NavigationEntry] = getattr(request.app.state, "navigation", ())
    return offered


def text_for(error: LatchpinError) -> str:
    """The public text, with the detail behind it if that may be shown."""
    public = as_seen(error).public
    if not (_may_show(error) and error.detail) or error.detail in public:
        return public
    return f"{public.rstrip('.')}: {error.detail}"


def as_seen(error: LatchpinError) -> Cause:
    """The cause as this caller may know it: who may not know the facts is told the wider cause, if there is one."""
    wider = CAUSES.get(error.cause.general)
    if wider is not None and not _may_show(error):
        return wider
    return error.as_cause()


def send_to_sign_in(request: Request) -> None:
    """Whatever asks is sent to ``/login`` if nobody is signed in: programs look where they would send a browser."""
    request.scope[_FOR_PEOPLE] = True


def wants_html(request: Request) -> bool:
    """Whether a person's browser asks for a page, as opposed to a program or a script."""
    return b"text/html" in read_header(request.scope, b"accept")


def _may_show(error: LatchpinError) -> bool:
    """By default, for what is the caller's own and what their server did; facts of stores and settings stay here."""
    return isinstance(error, CallerError | UpstreamError) if error.shows_detail is None else error.shows_detail


def _headers(error: LatchpinError, request: Request, base_url: str) -> dict[str, str]:
    """What HTTP itself wants to be told (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    headers: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        refused = ', error="invalid_token"' if "authorization" in request.headers else ""
        headers["www-authenticate"] = f'Bearer realm="{base_url}"{refused}'
    return {**headers, **_when_again(error)}


def _when_again(error: LatchpinError) -> dict[str, str]:
    """``Retry-After``, where time mends it."""
    seconds: int | None = getattr(error, "retry_after", None)
    busy = error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    seconds = seconds or (30 if busy else None)
    return {} if seconds is None else {"retry-after": str(seconds)}


def _should_sign_in(request: Request, error: LatchpinError) -> bool:
    """A person who simply is not signed in; what came and was refused is told instead."""
    return isinstance(error, NotSignedIn) and not error.detail and request.method in {"GET", "HEAD"}


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
