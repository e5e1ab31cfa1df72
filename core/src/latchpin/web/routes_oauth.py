"""The OAuth endpoints for browsers: authorize, callback, success.

``authorize`` and ``callback`` are hot routes: served ahead of FastAPI, with their OpenAPI description beside them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from latchpin.authorization.callback import Completed
from latchpin.errors import (
    CallbackMalformed,
    InvalidRequest,
    LatchpinError,
    NotFound,
    SharedConnectionMissing,
    SharedConnectionUnconfirmed,
)
from latchpin.model import Caller
from latchpin.oauth.callback import build_posted
from latchpin.tokens.accounts import parse_account
from latchpin.web import pages
from latchpin.web.cookies import browser_cookie, new_browser_cookie, set_browser_cookie
from latchpin.web.csrf import check_csrf, proves_intent
from latchpin.web.dependencies import application_of, check_gateway_id
from latchpin.web.dispatch import HotRoute
from latchpin.web.errors import answer, wants_html
from latchpin.web.frame import frame, frame_of_failure, mcp_url_of
from latchpin.web.identity import current_caller, require_caller, valid_caller
from latchpin.web.in_advance import not_in_advance
from latchpin.web.rendering import render
from latchpin.web.targets import HOME, lead_to, parse_target
from latchpin.web.traces import FLOW_ID
from latchpin.workers.store_deadline import insist

__all__ = ["FLOW_ROUTES", "router"]

router = APIRouter(include_in_schema=False)

RESULT = "authorization-result"
RESULT_LIFETIME = timedelta(minutes=10)
LONGEST_RETURN = 500
"""Characters: it travels in the state."""


@not_in_advance
async def authorize(request: Request) -> Response:
    """Begin an authorization: 302 to the provider; the page says at which gateway it could not be begun.

    A browser that would connect an account for all is asked first, wherever the link to it was.
    """
    caller = await require_caller(request)
    page = wants_html(request)
    try:
        return await _begin(request, caller, _lead_away, confirmed=not page and proves_intent(request, caller))
    except SharedConnectionUnconfirmed:
        if not page:
            raise
        return await _ask(request, caller)


@not_in_advance
async def authorize_confirmed(request: Request) -> Response:
    """Begin an authorization that a person has confirmed on the page of ours that asks."""
    caller = await require_caller(request)
    await check_csrf(request, caller)
    if not wants_html(request):
        return await _begin(request, caller, _lead_away, confirmed=True)
    gateway = await application_of(request).gateways.get_recent(_gateway_id_of(request), caller)
    around = await frame(request, caller)

    def leave(url: str) -> Response:
        # A redirect would be stopped by form-action 'self': browsers hold it against what follows a form too.
        return render("leave_for_server", title=f"On to {gateway.name}", url=url, **around)

    return await _begin(request, caller, leave, confirmed=True)


def _lead_away(url: str) -> Response:
    """Send the browser on to the authorization server."""
    return lead_to(url, 302)


async def _begin(request: Request, caller: Caller, lead: Callable[[str], Response], *, confirmed: bool) -> Response:
    """Begin an authorization; ``lead`` makes the answer that leads to the URL."""
    gateway_id = _gateway_id_of(request)
    browser = browser_cookie(request) or new_browser_cookie()
    flow_id, return_to = secrets.token_hex(16), _parse_return(request)
    account = parse_account(request.scope["query_string"]) or ""
    try:
        url = await application_of(request).start_authorization.begin(
            gateway_id,
            caller,
            browser=browser,
            flow_id=flow_id,
            return_to=return_to,
            account=account,
            confirmed=confirmed,
        )
    except (NotFound, InvalidRequest, SharedConnectionMissing, SharedConnectionUnconfirmed):
        raise  # there is nothing to begin, and nothing that trying again would change
    except LatchpinError as exc:
        exc.gateway_id, exc.return_to = gateway_id, return_to
        return answer(request, exc, announce=True, around=await frame_of_failure(request, exc))
    request.scope[FLOW_ID] = flow_id
    response = lead(url)
    set_browser_cookie(request, response, browser)
    return response


async def _ask(request: Request, caller: Caller) -> Response:
    """Ask whether the caller means to connect the account that all of a gateway use."""
    application = application_of(request)
    gateway = await application.gateways.get_recent(_gateway_id_of(request), caller)
    return pages.confirm_shared(
        around=await frame(request, caller),
        gateway=gateway,
        replaced=await application.tokens.stored_for(gateway, caller),
        return_to=_parse_return(request),
    )


def _gateway_id_of(request: Request) -> str:
    return check_gateway_id(request.path_params["gateway_id"])


@not_in_advance
async def callback(request: Request) -> Response:
    """Complete an authorization; what failed is answered with its cause."""
    application = application_of(request)
    try:
        completed = await application.authorization_callback.complete(
            request.scope["query_string"].decode("latin-1"),
            path_gateway=request.path_params.get("gateway_id"),
            browser=browser_cookie(request),
            caller=partial(current_caller, request),  # two identities that disagree are refused here too
        )
    except LatchpinError as exc:
        return await _refuse(request, exc)
    request.scope[FLOW_ID] = completed.flow_id
    if not wants_html(request) and "application/json" in request.headers.get("accept", ""):
        return JSONResponse(_describe(completed))
    base = application.services.settings.base_url
    if completed.return_to:
        return RedirectResponse(base + completed.return_to, status_code=303)
    claims = {"gateway_id": completed.gateway.id, "email": completed.app_user_email}
    claims |= {"company": "yes" if completed.shared else "", "account": completed.account}
    sign = partial(application.signed_tokens.sign, RESULT, claims, lifetime=RESULT_LIFETIME)
    until = asyncio.get_running_loop().time() + application.services.settings.oauth_callback_wait_seconds
    result = await insist(sign, until=until)  # all is done, and whoever did it shall not be told of a failure
    return RedirectResponse(f"{base}/oauth/success?result={quote(result)}", status_code=303)


async def callback_by_post(request: Request) -> Response:
    """Say why an answer that was posted completes nothing; its body is not read."""
    try:
        application_of(request).authorization_callback.refuse(build_posted())
    except CallbackMalformed as exc:
        return await _refuse(request, exc)


@router.get("/oauth/success")
async def show_success(request: Request) -> Response:
    """Tell whose account was connected to what. The facts come from a signed ticket, not from the query."""
    application = application_of(request)
    claims = await application.signed_tokens.verify(RESULT, request.query_params.get("result", ""))
    gateway = await application.gateways.get_any(str(claims["gateway_id"]))
    caller = await valid_caller(request)
    mine = caller if caller is not None and caller.email == claims["email"] else None
    return pages.success(
        around=await frame(request, mine) if mine else {"base": application.services.settings.base_path},
        email=str(claims["email"]),
        gateway=gateway,
        shared=bool(claims.get("company")),
        account=str(claims.get("account", "")),
        mcp_url=mcp_url_of(request, gateway.id),
    )


async def _refuse(request: Request, exc: LatchpinError) -> Response:
    around = await frame_of_failure(request, exc)
    return answer(request, exc, announce=True, around=around)


def _parse_return(request: Request) -> str:
    """The path of ours that ``next`` names, to go on to afterwards; ``""`` for the page about what came of it."""
    if not request.scope["query_string"]:
        return ""
    target = parse_target(request.query_params.get("next"))
    return "" if target == HOME or len(target) > LONGEST_RETURN else target


def _describe(completed: Completed) -> dict[str, Any]:
    return {
        "success": True,
        "message": pages.SUCCESS_TITLE,
        "gateway_id": completed.gateway.id,
        "gateway_name": completed.gateway.name,
        "app_user_email": completed.app_user_email,
        "account": completed.account,
        "shared": completed.shared,
        "flow_id": completed.flow_id,
    }


FLOW_ROUTES = [  # HEAD would begin or complete a flow, and show nobody
    HotRoute("/oauth/authorize/{gateway_id}", authorize, methods=["GET"]),
    HotRoute("/oauth/authorize/{gateway_id}", authorize_confirmed, methods=["POST"]),
    HotRoute("/oauth/callback", callback, methods=["GET"]),
    HotRoute("/oauth/callback", callback_by_post, methods=["POST"]),
    HotRoute("/oauth/callback/{gateway_id}", callback, methods=["GET"]),
    HotRoute("/oauth/callback/{gateway_id}", callback_by_post, methods=["POST"]),
]
"""What FastAPI does not see; see the module."""
