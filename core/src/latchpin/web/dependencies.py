"""What the handlers of requests are given: the gateway's scripts, who asks, and the gateway that the path names.

The order of a handler's arguments is the order in which they are asked: who asks comes before what the path names, so
that nobody learns of an id without an identity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from latchpin.application import Application
from latchpin.errors import NotFound
from latchpin.model import Caller
from latchpin.model.ids import ID_PATTERN, is_id
from latchpin.tokens.accounts import parse_account
from latchpin.web.csrf import CSRF_HEADER, check_csrf
from latchpin.web.errors import send_to_sign_in
from latchpin.web.identity import forget_caller, require_admin, require_caller

__all__ = [
    "ADMINISTRATOR",
    "AccountNamed",
    "AdminCaller",
    "CurrentApplication",
    "GatewayId",
    "SignedInCaller",
    "SignedInPerson",
    "WritingAdmin",
    "WritingCaller",
    "application_of",
    "check_gateway_id",
]


ADMINISTRATOR = "administrator"
"""The role that a route's security requirement names in the API's description."""
PROMPT = 0.25
"""Within so many seconds a body comes whose sender is not judged again."""


def application_of(request: Request) -> Application:
    """The gateway's scripts."""
    application: Application = request.app.state.application
    return application


def check_gateway_id(text: str) -> str:
    """A gateway id from a path; what cannot be one is not looked up.

    Raises:
        NotFound: it cannot be one.
    """
    if not is_id(text):
        raise NotFound("that is no gateway id: an id has 32 hexadecimal digits")
    return text


# FastAPI calls what is not a coroutine function in another thread.


async def _application(request: Request) -> Application:
    return application_of(request)


async def _gateway_id(
    gateway_id: Annotated[str, Path(json_schema_extra={"pattern": ID_PATTERN})],  # described: else it is 404
) -> str:
    return check_gateway_id(gateway_id)


CurrentApplication = Annotated[Application, Depends(_application)]
"""The gateway's scripts."""

GatewayId = Annotated[str, Depends(_gateway_id)]
"""The id in the path; 404 for what cannot be one."""


async def _account(
    request: Request,
    account: Annotated[str | None, Query()] = None,  # noqa: ARG001  described: else the last counts
) -> str | None:
    return parse_account(request.url.query)


AccountNamed = Annotated[str | None, Depends(_account)]
"""The label that the query names, ``""`` for the account without one, None for no account; 400 for several."""


# -- who asks -----------------------------------------------------------------------------------------

# These describe and decide nothing: the identities judge what came. The names of cookie and header are the settings'.
_BEARER = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="For programs: `latchpin token create --email you@example.com` prints one.",
    auto_error=False,
)
_SESSION = APIKeyCookie(
    name="latchpin-session",
    scheme_name="session",
    description="For people in browsers: a sign-in gives it. Requests that change something need the form's token too.",
    auto_error=False,
)
_PROXY = APIKeyHeader(
    name="TRUSTED_USER_HEADER",
    scheme_name="proxy",
    description="The user's address, set by a reverse proxy that TRUSTED_PROXIES lists.",
    auto_error=False,
)


async def _signed_in(
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],
    _session: Annotated[object, Security(_SESSION)],
    _proxy: Annotated[object, Security(_PROXY)],
) -> Caller:
    return await require_caller(request)


async def _person(request: Request) -> Caller:
    send_to_sign_in(request)
    return await require_caller(request)


async def _admin(
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],
    _session: Annotated[object, Security(_SESSION)],
    _proxy: Annotated[object, Security(_PROXY)],
) -> Caller:
    return await require_admin(request)


SignedInCaller = Annotated[Caller, Depends(_signed_in)]
"""Who asks; 401 if nobody says."""

SignedInPerson = Annotated[Caller, Depends(_person)]
"""Who asks. If nobody says, whatever asks is sent to ``/login``: for addresses that programs hand to a browser."""

AdminCaller = Annotated[Caller, Security(_admin, scopes=[ADMINISTRATOR])]
"""Who asks, an administrator; 401 or 403."""

_FormToken = Annotated[
    str | None,
    Header(
        alias=CSRF_HEADER,
        description="The token of a page's forms. Needed unless the caller sends a bearer token.",
    ),
]


async def _with_body(request: Request, caller: Caller, judge: Callable[[Request], Awaitable[Caller]]) -> Caller:
    """The caller, judged again where the body was long in coming: who was ended since would still write what it says.

    Raises:
        NotSignedIn, Forbidden: as ``judge`` does.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    with suppress(RuntimeError):  # a form that was read before anybody was asked
        await request.body()
    if clock() - began < PROMPT:
        return caller
    forget_caller(request)
    return await judge(request)


async def _writing(request: Request, caller: SignedInCaller, _token: _FormToken = None) -> Caller:
    caller = await _with_body(request, caller, require_caller)
    await check_csrf(request, caller)
    return caller


async def _writing_admin(request: Request, caller: AdminCaller, _token: _FormToken = None) -> Caller:
    caller = await _with_body(request, caller, require_admin)
    await check_csrf(request, caller)
    return caller


WritingCaller = Annotated[Caller, Depends(_writing)]
"""Who asks, and meant to: 403 if another site's page may have sent the request."""

WritingAdmin = Annotated[Caller, Depends(_writing_admin)]
"""The same, an administrator."""
