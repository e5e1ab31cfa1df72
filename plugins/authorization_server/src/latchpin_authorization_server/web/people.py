"""The pages of an authorization: consent, servers that are not connected yet, and the way back to the client."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.model import Caller
from latchpin.sdk.sign_in import browser_cookie, new_browser_cookie, not_in_advance, set_browser_cookie
from latchpin.sdk.web import (
    CurrentApplication,
    SignedInCaller,
    SignedInPerson,
    WritingCaller,
    application_of,
    frame,
    render,
    wants_html,
)

from latchpin_authorization_server.authorize import Authorize, connect_path
from latchpin_authorization_server.devices.device import Device
from latchpin_authorization_server.errors import AuthorizationRefused, ClientUnknown
from latchpin_authorization_server.metadata import PATHS
from latchpin_authorization_server.redirect_uris import is_loopback, tell_destination
from latchpin_authorization_server.server import open_server
from latchpin_authorization_server.steps import Answered, Ask, Connect, Leave, NextStep, build_answer
from latchpin_authorization_server.web.devices import TEMPLATES, show_answered, show_device

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_MEANT = frozenset({"none", "same-origin"})


async def _check_client(request: Request, application: CurrentApplication) -> None:
    """Say that a client's registration is gone before anybody signs in.

    Clients that look first (FastMCP's does) then register anew, and nobody is led to a page that ends there. A
    document is not asked for: only signed-in people cause that.
    """
    client_id = request.query_params.get("client_id", "")
    server = await open_server(application.services.context)
    if "://" not in client_id and await server.clients.find(client_id) is None:
        raise ClientUnknown(f"no client has the client_id {client_id[:200]!a}")


@router.get(PATHS["authorization_endpoint"], dependencies=[Depends(_check_client)])
@not_in_advance
async def authorize(request: Request, caller: SignedInPerson, application: CurrentApplication) -> Response:
    """The authorization endpoint (RFC 6749 section 3.1)."""
    flow = Authorize(await open_server(application.services.context), application)
    browser = browser_cookie(request) or new_browser_cookie()
    pairs = request.query_params.multi_items()
    meant = request.headers.get("sec-fetch-site") in _MEANT
    try:
        step: NextStep = await flow.begin(pairs, caller, browser=browser, meant=meant)
    except AuthorizationRefused as exc:
        step = _lead_back(exc, application)
    response = await _show(request, caller, step)
    set_browser_cookie(request, response, browser)
    return response


@router.post("/oauth2/decision")
async def decide(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """The person's answer to the consent page."""
    flow = Authorize(await open_server(application.services.context), application)
    form = await request.form()
    allow = form.get("decision") == "allow"
    try:
        step: NextStep = await flow.decide(
            str(form.get("request", "")), caller, browser=browser_cookie(request), allow=allow
        )
    except AuthorizationRefused as exc:
        step = _lead_back(exc, application)
    return await _show(request, caller, step)


@router.get("/oauth2/continue")
@not_in_advance
async def go_on(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """Where the person comes back to from a server behind the endpoint."""
    flow = Authorize(await open_server(application.services.context), application)
    request_id, skip = request.query_params.get("request", ""), request.query_params.get("skip", "")
    try:
        step: NextStep = await flow.go_on(request_id, caller, browser=browser_cookie(request), skip=skip)
    except AuthorizationRefused as exc:
        step = _lead_back(exc, application)
    return await _show(request, caller, step)


async def _show(request: Request, caller: Caller, step: NextStep) -> Response:
    match step:
        case Leave():
            return await _leave(request, caller, step)
        case Ask(device=Device() as device):
            return await show_device(request, caller, step, device)
        case Answered():
            return await show_answered(request, caller, step)
        case Ask(pending, client, resource):
            return render(
                "consent",
                folder=TEMPLATES,
                title=f"Allow {client.name}?",
                client=client,
                resource=resource,
                request_id=pending.id,
                destination=tell_destination(pending.redirect_uri),
                on_this_computer=is_loopback(pending.redirect_uri),
                is_web=pending.redirect_uri.startswith("https:"),
                **await frame(request, caller),
            )
        case Connect(pending, missing):
            [first, *others] = missing
            accounts = [await application_of(request).name_account(gateway, caller) for gateway in missing]
            named = zip(missing, accounts, strict=True)
            return render(
                "connect_servers",
                folder=TEMPLATES,
                title="Connect your accounts" if others else f"Connect {first.name}",
                client_name=pending.client_name,
                missing=[(gateway, connect_path(pending.id, gateway.id, account)) for gateway, account in named],
                tried=pending.tried,
                back=f"/oauth2/continue?request={pending.id}",
                **await frame(request, caller),
            )


_LEAVING = {
    "code": "Back to {}",
    "person": "On to {}",
    "denial": "Not allowed",
    "error": "The application's request does not hold",
}


async def _leave(request: Request, caller: Caller, step: Leave) -> Response:
    """On to another page: by a page of ours for a browser, since ``form-action`` stops redirects after a form."""
    if not wants_html(request):
        return RedirectResponse(step.url, 302)
    title = _LEAVING[step.brings].format(step.whither)
    return render("leave", folder=TEMPLATES, title=title, step=step, **await frame(request, caller))


def _lead_back(error: AuthorizationRefused, application: CurrentApplication) -> Leave:
    url = build_answer(
        error.redirect_uri,
        application.services.settings.base_url,
        state=error.state,
        error=error.error,
        error_description=error.description,
    )
    brings: Literal["denial", "error"] = "denial" if error.error == "access_denied" else "error"
    return Leave(url, "the application", brings, error.description)
