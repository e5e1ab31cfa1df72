"""The token endpoint: each grant type is one function from a proven client and a form to an answer."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from latchpin.errors import RecordConflict
from latchpin.sdk.oauth import base64url

from latchpin_authorization_server.clients.authentication import authenticate
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grants.grant import Grant, parse_presented
from latchpin_authorization_server.metadata import SCOPE

if TYPE_CHECKING:
    from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["GRANT_TYPES", "TokenEndpoint"]

_ATTEMPTS = 5


class TokenEndpoint:
    """Gives tokens to clients."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def answer(self, authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
        """What a client is given for what it sends (RFC 6749 section 5.1).

        Args:
            authorization: the request's header, None if there is none.
            form: its body, each parameter once.

        Raises:
            OAuthError: nothing; the error says why.
            BackendUnavailable: the store cannot be asked.
        """
        grant_type = form.get("grant_type", "")
        redeem = GRANT_TYPES.get(grant_type)
        if redeem is None:
            raise OAuthError("unsupported_grant_type", f"grant_type is one of {', '.join(GRANT_TYPES)}")
        client = await authenticate(self._server.clients, authorization, form)
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", f"this client did not register for {grant_type}")
        return await redeem(self._server, client, form)

    async def revoke(self, authorization: str | None, form: Mapping[str, str]) -> None:
        """End the grant that a token of the client's belongs to (RFC 7009); what is no token of its own is ignored.

        Raises:
            OAuthError: the client does not prove itself, or names no token.
            BackendUnavailable: the store cannot be asked.
        """
        client = await authenticate(self._server.clients, authorization, form)
        text = form.get("token", "")
        if not text:
            raise OAuthError("invalid_request", "token is missing")
        grant = await self._grant_of(text)
        if grant is not None and grant.client_id == client.id:
            await self._server.end(grant)

    async def _grant_of(self, text: str) -> Grant | None:
        if self._server.access_tokens.recognizes(text):
            token = await self._server.access_tokens.read_own(text)
            return None if token is None else await self._server.grants.get(token.grant_id)
        presented = parse_presented(text)
        grant = None if presented is None else await self._server.grants.get(presented.grant_id)
        return grant if grant is not None and presented is not None and grant.is_family(presented) else None


async def redeem_code(server: AuthorizationServer, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    """``authorization_code`` (RFC 6749 section 4.1.3 with RFC 7636).

    A code that comes twice, or from somebody who is not its client, ends what it stands for: it got into other hands.
    """
    presented = parse_presented(form.get("code", ""))
    grant = None if presented is None else await server.grants.get(presented.grant_id)
    if presented is None or grant is None or not grant.is_family(presented):
        raise OAuthError("invalid_grant", "the code is unknown, was used, or has expired")
    now = server.clock()
    problem = _find_problem(grant, client, form, now)
    if not grant.is_code(presented):
        problem = "the code was used before; what it stood for has ended"
    if problem:
        await server.end(grant)
        raise OAuthError("invalid_grant", problem)
    refreshes = "refresh_token" in client.grant_types
    redeemed = grant.redeemed(presented, now, server.settings.refresh_token_lifetime, refreshes=refreshes)
    try:
        stored = await server.grants.put(redeemed)
    except RecordConflict:
        await server.end(grant)
        raise OAuthError("invalid_grant", "the code was used twice at once; what it stood for has ended") from None
    await server.used(client)
    return await _answer(server, stored)


async def refresh(server: AuthorizationServer, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    """``refresh_token`` (RFC 6749 section 6) with rotation: an old one that comes again ends the grant (RFC 9700 4.14).

    Within ``GRACE`` it is answered with the token that took its place, since its answer may have been lost.
    """
    presented = parse_presented(form.get("refresh_token", ""))
    for _ in range(_ATTEMPTS):
        grant = None if presented is None else await server.grants.get(presented.grant_id)
        now = server.clock()
        judgement = "foreign" if presented is None or grant is None else grant.judge(presented, now)
        if presented is None or grant is None or judgement == "foreign":
            raise OAuthError("invalid_grant", "the refresh token is unknown or has ended")
        if await server.revocations.cover(grant.email, grant.created_at.timestamp()):
            await server.end(grant)
            raise OAuthError("invalid_grant", "an administrator ended what the person had allowed")
        if grant.client_id != client.id or judgement == "reused":
            await server.end(grant)
            raise OAuthError("invalid_grant", "the refresh token was used before; what it stood for has ended")
        if form.get("resource", grant.resource) != grant.resource:
            raise OAuthError("invalid_target", "the refresh token is for another resource")
        if judgement == "repeated":
            return await _answer(server, grant)
        try:
            rotated = grant.rotated(presented, now, server.settings.refresh_token_lifetime)
            stored = await server.grants.put(rotated)
        except RecordConflict:
            continue  # another request used it at the same moment: this one is its repetition
        await server.used(client)
        return await _answer(server, stored)
    raise OAuthError("temporarily_unavailable", "the grant is changed by others all the time", status=503)


GrantType = Callable[["AuthorizationServer", Client, Mapping[str, str]], Awaitable[dict[str, Any]]]

GRANT_TYPES: dict[str, GrantType] = {"authorization_code": redeem_code, "refresh_token": refresh}
"""What the token endpoint takes."""


def _find_problem(grant: Grant, client: Client, form: Mapping[str, str], now: datetime) -> str:
    """Why this client may not redeem this code in this way; ``""`` if it may."""
    challenge = base64url.encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    if grant.client_id != client.id:
        return "the code was given to another client"
    if grant.code_until is None or now >= grant.code_until:
        return "the code has expired"
    if not hmac.compare_digest(challenge, grant.code_challenge):
        return "code_verifier does not fit the code"
    if form.get("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
        return "redirect_uri is another than in the request"
    if form.get("resource", grant.resource) != grant.resource:
        return "resource is another than in the request"
    return ""


async def _answer(server: AuthorizationServer, grant: Grant) -> dict[str, Any]:
    access_token = await server.access_tokens.sign(
        email=grant.email, client_id=grant.client_id, resource=grant.resource, grant_id=grant.id
    )
    answer: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int(server.access_tokens.lifetime.total_seconds()),
        "scope": SCOPE,
    }
    if grant.successor:
        answer["refresh_token"] = grant.successor
    return answer
