"""The sign-in's addresses: where it begins, where the provider answers, and how people are signed out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from latchpin.errors import LatchpinError, NotFound
from latchpin.sdk.settings import load
from latchpin.sdk.sign_in import (
    answer_signed_in,
    browser_cookie,
    name_request,
    new_browser_cookie,
    not_in_advance,
    parse_target,
    set_browser_cookie,
)
from latchpin.sdk.web import application_of

from latchpin_oidc_login.logout_token import LogoutRefused, read_logout_token
from latchpin_oidc_login.paths import BACK_CHANNEL, BEGIN, CALLBACK, SIGN_OUT
from latchpin_oidc_login.settings import OidcLoginSettings
from latchpin_oidc_login.sign_in import OidcSignIn

__all__ = ["build_router"]

_log = logging.getLogger("latchpin.oidc_login")
_NO_STORE = {"cache-control": "no-store"}


def build_router() -> APIRouter:
    """Make the routes."""
    router = APIRouter(include_in_schema=False, lifespan=_announced)
    router.add_api_route(BEGIN, begin_sign_in, methods=["GET"])
    router.add_api_route(CALLBACK, complete_sign_in, methods=["GET"])
    router.add_api_route(SIGN_OUT, begin_sign_out, methods=["GET"])
    router.add_api_route(BACK_CHANNEL, end_by_back_channel, methods=["POST"])
    return router


@not_in_advance
async def begin_sign_in(request: Request) -> Response:
    """Send the browser to the provider.

    A GET, so that it is a link: browsers hold ``form-action`` against the redirects behind a form too. Whoever else
    makes a browser come here only begins what that browser's own account at the provider has to finish.
    """
    browser = browser_cookie(request) or new_browser_cookie()
    target = parse_target(request.query_params.get("next", ""))
    response = RedirectResponse(await _sign_in_of(request).begin(target, browser=browser), status_code=302)
    set_browser_cookie(request, response, browser)
    return response


@not_in_advance
async def complete_sign_in(request: Request) -> Response:
    """Sign in whom the provider's answer proves."""
    sign_in = _sign_in_of(request)
    try:
        done = await sign_in.complete(request.scope["query_string"].decode("latin-1"), browser=browser_cookie(request))
    except LatchpinError as exc:
        if exc.flow_id is not None:  # the sign-in's: no flow that could be looked at has it
            name_request(request.scope, exc.flow_id)
            exc.flow_id = None
        raise
    name_request(request.scope, done.flow_id)
    person = done.person
    response = await answer_signed_in(
        request,
        person.email,
        admin=person.is_admin,
        target=done.target,
        way="oidc",
        lifetime=done.lifetime,
        session_id=done.session_id,
    )
    _log.info("Signed in user %s at %s", person.email, sign_in.label, extra={"request_id": done.flow_id})
    return response


@not_in_advance
async def begin_sign_out(request: Request) -> Response:
    """Send the browser to where the provider signs the account out, after asking."""
    return RedirectResponse(await _sign_in_of(request).sign_out_url(), status_code=302)


async def end_by_back_channel(request: Request) -> Response:
    """End what the provider says has ended (OpenID Connect Back-Channel Logout 1.0 sections 2.5 to 2.8).

    The token proves who says so: neither a cookie nor a form's token does. Other parameters are passed over.
    """
    sign_in = _sign_in_of(request)
    try:
        await sign_in.back_channel.end(read_logout_token(await request.body()))
    except LogoutRefused as exc:
        _log.warning("A logout by the provider's back channel was refused: %s", exc)
        return _answer_provider("invalid_request", str(exc))
    except LatchpinError as exc:
        _log.warning("A logout by the provider's back channel failed: %s", exc.in_full)
        return _answer_provider("temporarily_unavailable", exc.public)
    return Response(status_code=200, headers=_NO_STORE)


def _answer_provider(error: str, why: str) -> Response:
    """400, whatever went wrong (section 2.8)."""
    return JSONResponse({"error": error, "error_description": why}, 400, headers=_NO_STORE)


def _sign_in_of(request: Request) -> OidcSignIn:
    """The sign-in, made at first use: one for each application, since it remembers the provider's metadata and keys."""
    state = request.app.state
    sign_in: OidcSignIn | None = getattr(state, "oidc_login_sign_in", None)
    if sign_in is None:
        settings = load(OidcLoginSettings)
        if not settings.configured:
            raise NotFound("sign-in with OpenID Connect is not set up", remedy="Use a login link.")
        sign_in = state.oidc_login_sign_in = OidcSignIn(application_of(request), settings)
    return sign_in


@contextlib.asynccontextmanager
async def _announced(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  a lifespan's shape
    """Say at the start who may sign in, and loudly what is believed without proof."""
    settings = load(OidcLoginSettings)
    if settings.configured:
        _log.info("People sign in at %s", settings.oidc_login_issuer)
        if settings.oidc_login_trust_unverified_email:
            _log.warning(
                "OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL=true: whoever can choose an address at %s signs in as that user",
                settings.oidc_login_issuer,
            )
    yield
