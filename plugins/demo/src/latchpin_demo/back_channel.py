"""The demo authorization server's endpoints for programs: token, revocation and client registration."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from latchpin.sdk.urls import is_loopback_host
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latchpin_demo.state import SCOPES, Client, InMemoryState, Issued, Refusal

__all__ = ["AUTH_METHODS", "BackChannel", "parse_single"]

AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
_GRANT_TYPES = ("authorization_code", "refresh_token")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def parse_single(parameters: ImmutableMultiDict[str, Any]) -> dict[str, str]:
    """Text parameters that come at most once (RFC 6749 section 3.1); empty ones count as absent.

    Raises:
        Refusal: ``invalid_request``: one is repeated.
    """
    pairs = [(name, value) for name, value in parameters.multi_items() if isinstance(value, str) and value]
    if len(pairs) != len(dict(pairs)):
        raise Refusal("invalid_request", "A parameter is repeated.")
    return dict(pairs)


class BackChannel:
    """Answers programs.

    Args:
        issuer: the server's issuer, a URL with a path and without a trailing slash.
        ledger: what the server remembers.
    """

    def __init__(self, issuer: str, ledger: InMemoryState) -> None:
        self._issuer = issuer
        self._ledger = ledger

    def routes(self) -> list[Route]:
        """The routes, below the issuer's path."""
        path = urlsplit(self._issuer).path
        return [
            Route(f"{path}/token", _answering(self._token), methods=["POST"]),
            Route(f"{path}/revoke", _answering(self._revoke), methods=["POST"]),
            Route(f"{path}/register", _answering(self._register), methods=["POST"]),
            Route(f"{path}/register/{{client_id}}", _answering(self._manage), methods=["GET", "DELETE"]),
        ]

    async def _token(self, request: Request) -> Response:
        form = parse_single(await request.form())
        client = self._authenticate(request, form)
        grant_type = form.get("grant_type", "")
        if grant_type == "authorization_code":
            issued = self._ledger.redeem(
                _required(form, "code"),
                client,
                redirect_uri=_required(form, "redirect_uri"),
                verifier=_required(form, "code_verifier"),
                resource=form.get("resource"),
            )
        elif grant_type == "refresh_token":
            token = _required(form, "refresh_token")
            issued = self._ledger.refresh(token, client, scope=form.get("scope"), resource=form.get("resource"))
        else:
            raise Refusal("unsupported_grant_type", f"The grant types are {' and '.join(_GRANT_TYPES)}.")
        return JSONResponse(_token_answer(issued), headers=_NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        form = parse_single(await request.form())
        self._ledger.revoke(_required(form, "token"), self._authenticate(request, form))
        return Response(status_code=200)

    async def _register(self, request: Request) -> Response:
        try:
            wishes = await request.json()
        except (ValueError, RecursionError) as exc:
            raise Refusal("invalid_client_metadata", "The body is not JSON.") from exc
        if not isinstance(wishes, dict):
            raise Refusal("invalid_client_metadata", "The body is not a JSON object.")
        client = self._ledger.put_client(
            name=_parse_text(wishes, "client_name", "An application without a name")[:80],
            redirect_uris=_parse_redirect_uris(wishes),
            auth_method=_parse_auth_method(wishes),
            scope=" ".join(word for word in _parse_text(wishes, "scope", "").split() if word in SCOPES),
        )
        return JSONResponse(self._client_answer(client), status_code=201, headers=_NO_STORE)

    async def _manage(self, request: Request) -> Response:
        client = self._ledger.clients.get(request.path_params["client_id"])
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected = client.registration_access_token if client else ""
        if client is None or scheme.lower() != "bearer" or not _equal(token.strip(), expected):
            raise Refusal("invalid_token", "The registration access token is not that of this client.", status=401)
        if request.method == "DELETE":
            self._ledger.delete_client(client)
            return Response(status_code=204, headers=_NO_STORE)
        return JSONResponse(self._client_answer(client), headers=_NO_STORE)

    def _authenticate(self, request: Request, form: dict[str, str]) -> Client:
        """Prove the client by the method it is registered with (RFC 6749 section 2.3)."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        method = "client_secret_post" if "client_secret" in form else "none"
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if scheme.lower() == "basic":
            method = "client_secret_basic"
            client_id, secret = _parse_basic(encoded)
        client = self._ledger.clients.get(client_id)
        if client is None or client.auth_method != method or not _equal(secret, client.secret or ""):
            raise Refusal("invalid_client", "The client is unknown or did not prove itself.", status=401)
        if form.get("client_id", client_id) != client_id:
            raise Refusal("invalid_request", "client_id differs between the header and the body.")
        return client

    def _client_answer(self, client: Client) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "client_id": client.id,
            "client_id_issued_at": int(client.issued_at.timestamp()),
            "client_name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "grant_types": list(_GRANT_TYPES),
            "response_types": ["code"],
            "token_endpoint_auth_method": client.auth_method,
            "scope": client.scope,
            "registration_client_uri": f"{self._issuer}/register/{client.id}",
            "registration_access_token": client.registration_access_token,
        }
        if client.secret is not None:
            answer |= {"client_secret": client.secret, "client_secret_expires_at": 0}
        return answer


def _answering(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Turn a refusal into the JSON error answer of RFC 6749 section 5.2."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            headers = dict(_NO_STORE)
            if refusal.status == HTTPStatus.UNAUTHORIZED:
                headers["WWW-Authenticate"] = "Bearer" if refusal.error == "invalid_token" else "Basic"
            body = {"error": refusal.error, "error_description": refusal.description}
            return JSONResponse(body, status_code=refusal.status, headers=headers)

    return answer


def _required(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise Refusal("invalid_request", f"{name} is missing.")
    return form[name]


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _parse_basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise Refusal("invalid_client", "The Basic credentials cannot be read.", status=401) from exc
    return unquote_plus(client_id), unquote_plus(secret)


def _token_answer(issued: Issued) -> dict[str, Any]:
    return {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(issued.lifetime.total_seconds()),
        "refresh_token": issued.refresh_token,
        "scope": " ".join(issued.grant.scopes),
    }


def _parse_text(wishes: dict[str, Any], name: str, default: str) -> str:
    value = wishes.get(name, default)
    if not isinstance(value, str):
        raise Refusal("invalid_client_metadata", f"{name} is {json.dumps(value)[:40]}, not text.")
    return value


def _parse_auth_method(wishes: dict[str, Any]) -> str:
    method = _parse_text(wishes, "token_endpoint_auth_method", "client_secret_basic")
    if method not in AUTH_METHODS:
        raise Refusal("invalid_client_metadata", f"token_endpoint_auth_method is one of {', '.join(AUTH_METHODS)}.")
    return method


def _parse_redirect_uris(wishes: dict[str, Any]) -> tuple[str, ...]:
    uris = wishes.get("redirect_uris")
    if not isinstance(uris, list) or not uris or not all(isinstance(uri, str) for uri in uris):
        raise Refusal("invalid_redirect_uri", "redirect_uris is a list of one or more URLs.")
    for uri in uris:
        parts = urlsplit(uri)
        local = parts.scheme == "http" and is_loopback_host(parts.hostname or "")
        if parts.fragment or not (local or (parts.scheme == "https" and parts.hostname)):
            raise Refusal("invalid_redirect_uri", "A redirect URI is https, or http on loopback, without a fragment.")
    return tuple(uris)
