"""``/scim/v2``: what the directory asks. Its token is looked at before anything else, and it opens nothing but this."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from latchpin.errors import LatchpinError
from latchpin.sdk.settings import load
from latchpin.sdk.web import application_of, read_json

from latchpin_scim import documents
from latchpin_scim.errors import ScimError, render_error
from latchpin_scim.filters import parse_filter
from latchpin_scim.records import UserRecords
from latchpin_scim.settings import ScimSettings
from latchpin_scim.user import User
from latchpin_scim.users import Users

__all__ = ["make_router"]

_log = logging.getLogger("latchpin.scim")

PATH = "/scim/v2"
MEDIA_TYPE = "application/scim+json"
_LISTED_BY_DEFAULT = 100

Handler = Callable[[Request], Awaitable[Response]]


def make_router() -> APIRouter:
    """Make the routes; they are no part of the API's description, since the standard describes them."""
    settings = load(ScimSettings)
    tokens = [each.get_secret_value().encode() for each in settings.scim_token]
    router = APIRouter(prefix=PATH, include_in_schema=False)

    def add(path: str, method: str, handler: Handler) -> None:
        router.add_api_route(path, _guarded(handler, tokens), methods=[method], name=f"scim_{handler.__name__}")

    add("/ServiceProviderConfig", "GET", show_config)
    add("/ResourceTypes", "GET", list_types)
    add("/ResourceTypes/{name}", "GET", show_type)
    add("/Schemas", "GET", list_schemas)
    add("/Schemas/{name}", "GET", show_schema)
    add("/Users", "GET", list_users)
    add("/Users", "POST", create_user)
    add("/Users/{user_id}", "GET", show_user)
    add("/Users/{user_id}", "PUT", replace_user)
    add("/Users/{user_id}", "PATCH", patch_user)
    add("/Users/{user_id}", "DELETE", delete_user)
    return router


# -- users ------------------------------------------------------------------------------------------------


async def list_users(request: Request) -> Response:
    """Some of all users, or those that a filter finds."""
    users, start = _users_of(request), max(1, _number(request, "startIndex", 1))
    count = min(max(0, _number(request, "count", _LISTED_BY_DEFAULT)), documents.MOST_LISTED)
    if (wanted := request.query_params.get("filter")) is not None:
        found = await users.find(parse_filter(wanted))
        page, total = found[start - 1 : start - 1 + count], len(found)
    else:
        page, total = await users.list(skip=start - 1, limit=count)
    return _answer(documents.render_list([_render(request, each) for each in page], total=total, start=start))


async def create_user(request: Request) -> Response:
    """Keep a new user."""
    return _show(request, await _users_of(request).create(await read_json(request)), status=201)


async def show_user(request: Request) -> Response:
    """One user."""
    return _show(request, await _users_of(request).get(_id(request)))


async def replace_user(request: Request) -> Response:
    """Put another in a user's place."""
    return _show(request, await _users_of(request).replace(_id(request), await read_json(request)))


async def patch_user(request: Request) -> Response:
    """Change a user."""
    return _show(request, await _users_of(request).patch(_id(request), await read_json(request)))


async def delete_user(request: Request) -> Response:
    """Remove a user, who is out."""
    await _users_of(request).delete(_id(request))
    return Response(status_code=204)


# -- about this server --------------------------------------------------------------------------------------


async def show_config(request: Request) -> Response:
    """What this server can do."""
    return _answer(documents.provider_config(_base(request)))


async def list_types(request: Request) -> Response:
    """What it keeps."""
    return _answer(documents.render_list(documents.types(_base(request))))


async def show_type(request: Request) -> Response:
    """One of these."""
    return _found(documents.find_type(_base(request), request.path_params["name"]))


async def list_schemas(request: Request) -> Response:
    """What of it."""
    return _answer(documents.render_list(documents.schemas(_base(request))))


async def show_schema(request: Request) -> Response:
    """One of these."""
    return _found(documents.find_schema(_base(request), request.path_params["name"]))


# -- all ------------------------------------------------------------------------------------------------


def _guarded(handler: Handler, tokens: list[bytes]) -> Handler:
    """The handler for who has the directory's token; what fails is told in SCIM's words."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        try:
            _check(request, tokens)
            return await handler(request)
        except ScimError as exc:
            return _answer(render_error(exc.status, exc.detail, exc.kind), exc.status)
        except LatchpinError as exc:
            if exc.status >= 500:  # noqa: PLR2004  HTTP's
                _log.warning("A directory's request failed: %s", exc.in_full)
            kind = "invalidSyntax" if exc.status == 400 else ""  # noqa: PLR2004  HTTP's
            return _answer(render_error(exc.status, exc.public, kind), exc.status)

    return guarded


def _check(request: Request, tokens: list[bytes]) -> None:
    """Go on only with the directory's token.

    Raises:
        ScimError: there is none, or another.
    """
    if not tokens:
        raise ScimError(404, "there is no SCIM here: SCIM_TOKEN is not set")
    given = [value for name, value in request.scope["headers"] if name == b"authorization"]
    scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    holds = [hmac.compare_digest(token, each) for each in tokens]  # all of them, whichever fits
    if scheme.lower() != b"bearer" or not any(holds):
        raise ScimError(401, "the directory's token is missing or another")


def _users_of(request: Request) -> Users:
    application = application_of(request)
    return Users(application, UserRecords(application.services.context))


def _id(request: Request) -> str:
    return str(request.path_params["user_id"])


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    try:
        return int(text[:12])
    except ValueError:
        raise ScimError(400, f"{name} must be a number", "invalidValue") from None


def _base(request: Request) -> str:
    return f"{application_of(request).services.settings.base_url}{PATH}"


def _render(request: Request, user: User) -> dict[str, Any]:
    return user.render(f"{_base(request)}/Users/{quote(user.id)}")


def _show(request: Request, user: User, status: int = 200) -> Response:
    body = _render(request, user)
    return _answer(body, status, {"location": body["meta"]["location"]})


def _found(document: dict[str, Any] | None) -> Response:
    if document is None:
        raise ScimError(404, "there is no such thing")
    return _answer(document)


def _answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    more = {"www-authenticate": 'Bearer realm="scim"'} if status == 401 else {}  # noqa: PLR2004  HTTP's
    return JSONResponse(body, status, {**(headers or {}), **more}, media_type=MEDIA_TYPE)
