"""What every way to sign in ends with: the earlier session is over, a new one begins, and the browser goes on."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from latchpin.errors import Forbidden
from latchpin.identity.barred import is_out
from latchpin.identity.sessions import end_session, start_session
from latchpin.web.cookies import session_of, set_session_cookie
from latchpin.web.identity import services_of, signed_tokens_of
from latchpin.web.rendering import render

__all__ = ["answer_signed_in", "end_current_session"]

_LEADS_AWAY = "/oauth/authorize/"


async def answer_signed_in(
    request: Request,
    email: str,
    *,
    admin: bool,
    target: str,
    way: str,
    lifetime: timedelta | None = None,
    session_id: str | None = None,
) -> Response:
    """Start a session for who has proven to be ``email``, and send the browser on.

    The session is new, and the browser's earlier one ends: whoever planted or copied that has nothing.

    Args:
        request: what the sign-in ended with.
        email: from ``parse_email``.
        admin: whether the way of signing in makes an administrator, beside ADMIN_EMAILS.
        target: where to go, from ``parse_target``.
        way: by which way of signing in; a word for the audit log.
        lifetime: how long the session lasts; at most SESSION_LIFETIME_SECONDS, and that if None.
        session_id: from ``new_session_id``, for who may want to end the session; None: another one is made.

    Raises:
        Forbidden: the person is out.
        BackendUnavailable: nobody is signed in.
    """
    settings = services_of(request).settings
    longest = timedelta(seconds=settings.session_lifetime_seconds)
    lifetime = longest if lifetime is None else min(lifetime, longest)
    ticket = await start_session(
        signed_tokens_of(request), email, admin=admin, lifetime=lifetime, session_id=session_id
    )  # before it is asked who is out: an end that comes after the question then comes after the ticket too
    if await is_out(services_of(request).kept, email):
        raise Forbidden(
            "your access to this gateway was ended",
            remedy="Ask an administrator, who can let you in again: latchpin people restore",
        )
    await end_current_session(request)
    await services_of(request).activity.tell("person.signed-in", actor=email, subject=email, way=way)
    response: Response
    if not target.startswith(_LEADS_AWAY):
        response = RedirectResponse(settings.base_url + target, 303)
    elif request.method == "GET":
        # The same page elsewhere, so that what another server answered leaves the address bar.
        response = RedirectResponse(f"{settings.base_url}/login?next={quote(target, safe='')}", 303)
    else:
        # A redirect on to the provider would be stopped by form-action 'self': browsers hold it against
        # the whole chain of redirects. A link on a page begins a new one, and shows the address once more.
        response = render("continue", title="Signed in", base=settings.base_path, caller=email, next=target)
    set_session_cookie(request, response, ticket, lifetime=lifetime)
    return response


async def end_current_session(request: Request) -> None:
    """End the session in the browser's cookie, if there is one, for copies of the cookie too."""
    session = await session_of(request)
    if session is not None:
        await end_session(services_of(request).kept, session)
