"""The endpoints that clients call themselves: metadata, keys, token, revocation, registration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from latchpin.errors import NotFound
from latchpin.sdk.web import application_of, services_of

from latchpin_authorization_server.clients.registration import Registered, Registration
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grants.requests import only_values
from latchpin_authorization_server.metadata import PATHS, build_metadata
from latchpin_authorization_server.resources import find_for_person, owes_authorization
from latchpin_authorization_server.server import AuthorizationServer, open_server
from latchpin_authorization_server.token_endpoint import TokenEndpoint
from latchpin_authorization_server.web.asker import address_of
from latchpin_authorization_server.web.described import (
    KEYS,
    METADATA,
    REGISTER,
    REVOKE,
    TOKEN,
    UNREGISTER,
    registration,
)

__all__ = ["NEVER_CACHED", "read_form", "refuse", "router", "server_of"]

router = APIRouter()

NEVER_CACHED = {"cache-control": "no-store", "pragma": "no-cache"}
_PUBLIC = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
LARGEST = 50_000
"""Bytes of what a client says about itself."""
_MANAGEMENT = PATHS["registration_endpoint"] + "/{client_id}"
_WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


async def server_of(request: Request) -> AuthorizationServer:
    """The process's authorization server."""
    return await open_server(services_of(request).context)


@router.get(_WELL_KNOWN[0] + "{path:path}", **METADATA)
@router.get(_WELL_KNOWN[1] + "{path:path}", include_in_schema=False)
async def show_server_metadata(request: Request, path: str) -> Response:
    """The metadata of this issuer (RFC 8414), and under the name that older clients ask for."""
    settings = services_of(request).settings
    if path.rstrip("/") not in {"", settings.base_path}:  # a proxy in front may serve the prefix alone
        raise NotFound("there is no authorization server of that path")
    server = await server_of(request)
    document = build_metadata(server.issuer, server.settings, grant_types=TokenEndpoint(server).grant_types)
    return JSONResponse(document, headers=_PUBLIC)


@router.get(PATHS["jwks_uri"], **KEYS)
async def show_keys(request: Request) -> Response:
    """The keys that prove access tokens (RFC 7517)."""
    keys = await (await server_of(request)).keys.all()
    return JSONResponse({"keys": [key.public_jwk for key in keys]}, headers=_PUBLIC)


@router.post(PATHS["token_endpoint"], **TOKEN)
async def give_token(request: Request) -> Response:
    """The token endpoint (RFC 6749 section 3.2)."""
    server = await server_of(request)
    try:
        form = await read_form(request)
        application = application_of(request)
        find, owes = partial(find_for_person, application), partial(owes_authorization, application)
        answer = await TokenEndpoint(server).answer(request.headers.get("authorization"), form, find, owes)
    except OAuthError as exc:
        return refuse(exc)
    return JSONResponse(answer, headers=NEVER_CACHED)


@router.post(PATHS["revocation_endpoint"], **REVOKE)
async def revoke_token(request: Request) -> Response:
    """The revocation endpoint (RFC 7009)."""
    server = await server_of(request)
    try:
        await TokenEndpoint(server).revoke(request.headers.get("authorization"), await read_form(request))
    except OAuthError as exc:
        return refuse(exc)
    return Response(status_code=200, headers=NEVER_CACHED)


@router.post(PATHS["registration_endpoint"], **REGISTER)
async def register_client(request: Request) -> Response:
    """Dynamic Client Registration (RFC 7591)."""
    server = await server_of(request)
    if not server.settings.client_registration_enabled:
        raise NotFound("clients do not register themselves here")
    address = address_of(request)
    try:
        registered = await Registration(server).register(await _read_object(request), address=address)
    except OAuthError as exc:
        return refuse(exc)
    return JSONResponse(_tell(registered, server), status_code=201, headers=NEVER_CACHED)


@router.get(_MANAGEMENT, **registration("Read a registration"))
async def read_registration(request: Request, client_id: str) -> Response:
    """What a client registered, for itself (RFC 7592 section 2.1)."""
    server = await server_of(request)
    try:
        registered = await Registration(server).read(client_id, _read_management_token(request))
    except OAuthError as exc:
        return refuse(exc)
    return JSONResponse(_tell(registered, server), headers=NEVER_CACHED)


@router.put(_MANAGEMENT, **registration("Change a registration", changes=True))
async def change_registration(request: Request, client_id: str) -> Response:
    """A client registers otherwise (RFC 7592 section 2.2)."""
    server = await server_of(request)
    try:
        token = _read_management_token(request)
        await Registration(server).read(client_id, token)  # who may not manage it learns nothing of what is wrong
        registered = await Registration(server).change(client_id, token, await _read_object(request))
    except OAuthError as exc:
        return refuse(exc)
    return JSONResponse(_tell(registered, server), headers=NEVER_CACHED)


@router.delete(_MANAGEMENT, **UNREGISTER)
async def delete_registration(request: Request, client_id: str) -> Response:
    """A client goes (RFC 7592 section 2.3)."""
    server = await server_of(request)
    try:
        await Registration(server).forget(client_id, _read_management_token(request))
    except OAuthError as exc:
        return refuse(exc)
    return Response(status_code=204, headers=NEVER_CACHED)


def _read_management_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _tell(registered: Registered, server: AuthorizationServer) -> dict[str, Any]:
    """What a client is told about itself (RFC 7591 section 3.2.1, RFC 7592 section 3)."""
    client = registered.stored.client
    answer: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": int(registered.stored.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": client.auth_method,
        "registration_client_uri": f"{server.issuer}{PATHS['registration_endpoint']}/{client.id}",
        "registration_access_token": registered.management_token,
    }
    if registered.secret:
        answer |= {"client_secret": registered.secret, "client_secret_expires_at": 0}
    return answer


async def read_form(request: Request) -> dict[str, str]:
    """The body's parameters, each once. Raises OAuthError."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise OAuthError("invalid_request", "the body is application/x-www-form-urlencoded")
    try:
        pairs = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
        return only_values(pairs)
    except ValueError as exc:
        raise OAuthError("invalid_request", str(exc)) from None


async def _read_object(request: Request) -> Mapping[str, Any]:
    body = await request.body()
    if len(body) > LARGEST:
        raise OAuthError("invalid_client_metadata", f"the body has more than {LARGEST} bytes", status=413)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise OAuthError("invalid_client_metadata", "the body is no JSON object")
    return said


def refuse(error: OAuthError) -> Response:
    """The answer that tells a program why it gets nothing (RFC 6749 section 5.2)."""
    headers = dict(NEVER_CACHED)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer error="invalid_token"' if error.error == "invalid_token" else "Basic"
    if error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["retry-after"] = "60"
    body = {"error": error.error, "error_description": error.description}
    return JSONResponse(body, error.status, headers)
