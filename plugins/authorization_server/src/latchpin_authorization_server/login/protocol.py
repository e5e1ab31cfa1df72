"""What ``latchpin login`` asks of the authorization server: a client, tokens by browser or device, and their end."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import httpx
from latchpin.errors import SignInFailed
from latchpin.sdk.oauth import S256

from latchpin_authorization_server.login.answers import (
    Refused,
    Tokens,
    ask,
    host_of,
    plain_words,
    read_answer,
    read_seconds,
    read_text,
    read_tokens,
)
from latchpin_authorization_server.login.place import Place
from latchpin_authorization_server.metadata import SCOPE

__all__ = [
    "DEVICE_CODE",
    "REDIRECT_PATH",
    "CodeRequest",
    "begin_code",
    "end",
    "is_known",
    "is_taken",
    "redeem_code",
    "refresh",
    "register",
    "wait_for_device",
]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT_PATH = "/signed-in"
_SLOWER = 5
_PATIENCE = 10
"""Seconds for an endpoint to say whether it takes a token: the server behind it may take its time, or never answer."""


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """An authorization request that a browser is sent with.

    Attributes:
        url: where the browser goes.
    """

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def register(http: httpx.Client, place: Place, *, name: str) -> str:
    """Introduce this program as a public client (RFC 7591); its ``client_id``.

    Raises:
        SignInFailed: the server takes no clients, or not this one.
    """
    if not place.registration:
        raise SignInFailed(
            f"{place.issuer} lets no programs register themselves",
            remedy="Ask its administrator to enter a client, and give --client-id.",
        )
    metadata = {
        "client_name": name,
        "application_type": "native",
        "redirect_uris": [f"http://127.0.0.1{REDIRECT_PATH}"],
        "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    answer = read_answer(ask(http, "POST", place.registration, json=metadata))
    return read_text(answer, "client_id", place.issuer)


def is_known(http: httpx.Client, place: Place, client_id: str) -> bool:
    """Whether the server still knows the client: one that nobody used for long is forgotten there.

    Asked with a refresh token that is none, which every server refuses; the reason tells.
    """
    form = {"grant_type": "refresh_token", "refresh_token": "none", "client_id": client_id}
    try:
        read_answer(ask(http, "POST", place.token, data=form))
    except Refused as exc:
        return exc.error != "invalid_client"
    return True


def is_taken(http: httpx.Client, url: str, tokens: Tokens) -> bool:
    """Whether the endpoint takes the access token, as far as it can be asked: the server behind it is sent a ping."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {"authorization": f"Bearer {tokens.access_token}", "accept": "application/json, text/event-stream"}
    try:
        with http.stream("POST", url, json=message, headers=headers, timeout=_PATIENCE) as answer:
            return answer.status_code != HTTPStatus.UNAUTHORIZED
    except httpx.HTTPError:
        return True


def begin_code(place: Place, client_id: str, *, port: int) -> CodeRequest:
    """Make an authorization request whose answer goes to a port of this machine (RFC 6749, RFC 7636, RFC 8252)."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    redirect_uri = f"http://127.0.0.1:{port}{REDIRECT_PATH}"
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "scope": SCOPE,
        "resource": place.url,
        "code_challenge": S256().challenge(verifier),
        "code_challenge_method": "S256",
    }
    return CodeRequest(f"{place.authorization}?{urlencode(query)}", redirect_uri, state, verifier)


def redeem_code(
    http: httpx.Client, place: Place, client_id: str, request: CodeRequest, answer: Mapping[str, str], *, now: datetime
) -> Tokens:
    """Turn the browser's answer, whose ``state`` is proven, into tokens.

    Raises:
        SignInFailed: it is another server's answer (RFC 9207), the person said no, or the code is not taken.
    """
    if answer.get("iss") != place.issuer:
        raise SignInFailed("the browser brought an answer of another server", remedy="Start again.")
    if "error" in answer or "code" not in answer:
        raise Refused(
            host_of(place.issuer), plain_words(answer.get("error")), plain_words(answer.get("error_description"))
        )
    fields = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.verifier,
        "client_id": client_id,
        "resource": place.url,
    }
    return read_tokens(read_answer(ask(http, "POST", place.token, data=fields)), place.issuer, now)


def wait_for_device(
    http: httpx.Client,
    place: Place,
    client_id: str,
    *,
    tell: Callable[[str, str, timedelta], None],
    pause: Callable[[float], None],
    clock: Callable[[], datetime],
) -> Tokens:
    """Show a code, and ask until its person has answered (RFC 8628).

    Args:
        http: carries the requests.
        place: where to.
        client_id: who asks.
        tell: shows the person the page's URL, the code, and how long it is good.
        pause: waits so many seconds.
        clock: tells the time.

    Raises:
        SignInFailed: the server has no device flow, the person said no, or the code expired.
    """
    if not place.device_authorization:
        raise SignInFailed(f"{place.issuer} has no device flow", remedy="Leave --device out.")
    form = {"client_id": client_id, "resource": place.url, "scope": SCOPE}
    begun = read_answer(ask(http, "POST", place.device_authorization, data=form))
    interval, lifetime = read_seconds(begun, "interval", 5), timedelta(seconds=read_seconds(begun, "expires_in", 600))
    ends_at = clock() + lifetime
    tell(read_text(begun, "verification_uri", place.issuer), read_text(begun, "user_code", place.issuer), lifetime)
    form = {
        "grant_type": DEVICE_CODE,
        "device_code": read_text(begun, "device_code", place.issuer),
        "client_id": client_id,
    }
    while clock() < ends_at:
        pause(interval)
        try:
            return read_tokens(read_answer(ask(http, "POST", place.token, data=form)), place.issuer, clock())
        except Refused as exc:
            if exc.error not in {"authorization_pending", "slow_down"}:
                raise
            interval += _SLOWER if exc.error == "slow_down" else 0
    raise SignInFailed("nobody typed the code in time", remedy="Start again.")


def refresh(http: httpx.Client, token_endpoint: str, client_id: str, tokens: Tokens, *, now: datetime) -> Tokens:
    """Get new tokens (RFC 6749 section 6); without a new refresh token the old one goes on.

    Raises:
        Refused: what the person had allowed has ended.
        SignInFailed: the server does not answer as it should.
    """
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "client_id": client_id}
    found = read_tokens(read_answer(ask(http, "POST", token_endpoint, data=form)), token_endpoint, now)
    return found if found.refresh_token else Tokens(found.access_token, found.expires_at, tokens.refresh_token)


def end(http: httpx.Client, revocation_endpoint: str, client_id: str, tokens: Tokens) -> None:
    """Have the server end what the tokens stand for (RFC 7009).

    Raises:
        SignInFailed: it does not say that it did.
    """
    form = {"token": tokens.refresh_token or tokens.access_token, "client_id": client_id}
    response = ask(http, "POST", revocation_endpoint, data=form)
    if response.status_code != HTTPStatus.OK:
        read_answer(response)
        raise SignInFailed(f"{host_of(revocation_endpoint)} answered {response.status_code}")
