"""/login and /logout."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from latchpin.contracts import SignIn
from latchpin.errors import InvalidRequest
from latchpin.identity.login import consume_link, get_link
from latchpin.services import Services
from latchpin.web.cookies import clear_session_cookie, session_of
from latchpin.web.csrf import check_csrf, check_same_origin
from latchpin.web.frame import frame_for_anybody
from latchpin.web.identity import services_of, valid_caller
from latchpin.web.rendering import render
from latchpin.web.signing_in import answer_signed_in, end_current_session
from latchpin.web.targets import parse_target

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def show_login(request: Request) -> Response:
    """Show whom a link signs in, with a button; looking does not use it up."""
    services = services_of(request)
    token = request.query_params.get("token", "")
    link = await get_link(services, token) if token else None
    if token and link is None:
        raise _spent()
    return render(
        "login",
        **await frame_for_anybody(request),
        title="Sign in",
        token=token,
        next=parse_target(request.query_params.get("next", "")),
        email=link.email if link else None,
        as_admin=link.is_admin if link else False,
        sign_ins=services.sign_ins,
    )


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Use a link up and start a session.

    Raises:
        CsrfRefused: another site's page sent the form, to sign the visitor in as somebody else.
    """
    check_same_origin(request)
    services, form = services_of(request), await request.form()
    token, target = form.get("token"), parse_target(form.get("next"))
    link = await consume_link(services, token) if isinstance(token, str) else None
    if link is None:
        raise _spent()
    return await answer_signed_in(request, link.email, admin=link.is_admin, target=target, way="login-link")


@router.get("/logout")
async def show_logout(request: Request) -> Response:
    """Ask before signing out: a link or an image of another page must not do it."""
    caller = await valid_caller(request)
    session = await session_of(request)
    is_out = caller is None and session is None
    return render(
        "logout",
        title="Signed out" if is_out else "Sign out",
        **await frame_for_anybody(request),
        session=session.email if session else None,
        sign_outs=await _sign_outs(services_of(request)) if is_out else (),
    )


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """End the session, also where its cookie was copied.

    It ends where another identity contradicts it too: signing out is the way out of that.
    """
    caller = await valid_caller(request)
    if caller is not None:
        await check_csrf(request, caller)
    else:
        check_same_origin(request)
    await end_current_session(request)
    response = RedirectResponse(f"{services_of(request).settings.base_url}/logout", 303)
    clear_session_cookie(request, response)
    return response


async def _sign_outs(services: Services) -> list[SignIn]:
    """Where the account may still be signed in, and can be signed out."""
    ways = [way for way in services.sign_ins if way.sign_out_path is not None]
    return [way for way in ways if way.signs_out is None or await way.signs_out(services.upstream, services.clock)]


def _spent() -> InvalidRequest:
    return InvalidRequest(
        "unknown, used before, or older than ten minutes",
        public="This login link does not work any more.",
        remedy="Ask for another: latchpin login-link --email you@example.com",
    )
