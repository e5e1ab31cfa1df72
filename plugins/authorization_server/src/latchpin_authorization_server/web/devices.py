"""The device flow's endpoint for programs, and the page where people type a device's code (RFC 8628)."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from latchpin.model import Caller
from latchpin.sdk.sign_in import browser_cookie, new_browser_cookie, set_browser_cookie
from latchpin.sdk.web import CurrentApplication, SignedInCaller, TimeShown, WritingCaller, frame, render, services_of

from latchpin_authorization_server.authorize import Authorize
from latchpin_authorization_server.clients.authentication import authenticate
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.devices.device import LIFETIME, Device
from latchpin_authorization_server.devices.user_code import show_user_code
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.device_code import DEVICE_CODE
from latchpin_authorization_server.metadata import PATHS
from latchpin_authorization_server.server import AuthorizationServer, open_server
from latchpin_authorization_server.steps import Answered, Ask
from latchpin_authorization_server.web.asker import address_of
from latchpin_authorization_server.web.described import begins_device
from latchpin_authorization_server.web.programs import NEVER_CACHED, read_form, refuse, server_of

__all__ = ["PAGE", "TEMPLATES", "router", "show_answered", "show_device"]

router = APIRouter()

PAGE = "/device"
TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_RESOURCE = 2000


@router.post(PATHS["device_authorization_endpoint"], **begins_device())
async def begin(request: Request) -> Response:
    """The device authorization endpoint (RFC 8628 section 3.1).

    There is no ``verification_uri_complete``: a link with the code in it would make people allow what others began.
    """
    server = await server_of(request)
    try:
        form = await read_form(request)
        client = await authenticate(server.clients, request.headers.get("authorization"), form)
        device, user_code, device_code = await server.devices.begin(
            _check_client(client),
            resource=_check_resource(server, form.get("resource", "")),
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
    except OAuthError as exc:
        return refuse(exc)
    answer = {
        "device_code": device_code,
        "user_code": show_user_code(user_code),
        "verification_uri": server.issuer + PAGE,
        "expires_in": int(LIFETIME.total_seconds()),
        "interval": device.interval,
    }
    return JSONResponse(answer, headers=NEVER_CACHED)


def _check_client(client: Client) -> Client:
    if DEVICE_CODE not in client.grant_types:
        raise OAuthError("unauthorized_client", f"this client did not register for {DEVICE_CODE}")
    return client


def _check_resource(server: AuthorizationServer, resource: str) -> str:
    """Whether it can be an endpoint of this gateway; whether it is one for the person is found out when they come."""
    if not resource:
        raise OAuthError("invalid_target", "resource is required: the URL of the MCP endpoint")
    if not resource.startswith(f"{server.issuer}/") or not _is_plain(resource):
        raise OAuthError("invalid_target", "resource is no MCP endpoint of this gateway")
    return resource


def _is_plain(url: str) -> bool:
    return len(url) <= _LONGEST_RESOURCE and url.isascii() and url.isprintable()


@router.get(PAGE, include_in_schema=False)
async def ask_for_code(request: Request, caller: SignedInCaller) -> Response:
    """The page where a person types the code."""
    return await _show_form(request, caller)


@router.post(PAGE, include_in_schema=False)
async def take_code(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """A person typed a code."""
    flow = Authorize(await open_server(application.services.context), application)
    browser = browser_cookie(request) or new_browser_cookie()
    typed = str((await request.form()).get("user_code", ""))
    step = await flow.begin_for_device(typed, caller, address=address_of(request), browser=browser)
    if step is None or step.device is None:
        return await _show_form(request, caller, is_wrong=True)
    response = await show_device(request, caller, step, step.device)
    set_browser_cookie(request, response, browser)
    return response


async def _show_form(request: Request, caller: Caller, *, is_wrong: bool = False) -> Response:
    return render(
        "device",
        folder=TEMPLATES,
        title="Connect a device",
        status=HTTPStatus.BAD_REQUEST if is_wrong else HTTPStatus.OK,
        is_wrong=is_wrong,
        **await frame(request, caller),
    )


async def show_device(request: Request, caller: Caller, step: Ask, device: Device) -> Response:
    """The consent page for a device: what it is, where it asks from and since when."""
    now = services_of(request).clock()
    return render(
        "device_consent",
        folder=TEMPLATES,
        title=f"Allow {step.client.name}?",
        client=step.client,
        resource=step.resource,
        device=device,
        since=TimeShown.of(device.created_at, now),
        request_id=step.pending.id,
        **await frame(request, caller),
    )


async def show_answered(request: Request, caller: Caller, step: Answered) -> Response:
    """The last page."""
    title = "Done" if step.allowed else "Not allowed"
    return render("device_answered", folder=TEMPLATES, title=title, step=step, **await frame(request, caller))
