"""``authorization_code``: the code that a person's browser brought."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any

from latchpin.errors import RecordConflict
from latchpin.sdk.oauth import S256

from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, give
from latchpin_authorization_server.grants.grant import Grant, parse_presented
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["redeem_code"]


async def redeem_code(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """``authorization_code`` (RFC 6749 section 4.1.3 with RFC 7636).

    A code that comes twice, or from somebody who is not its client, ends what it stands for: it got into other hands.
    """
    presented = parse_presented(request.form.get("code", ""))
    grant = None if presented is None else await server.grants.get(presented.grant_id)
    if presented is None or grant is None or not grant.is_family(presented):
        raise OAuthError("invalid_grant", "the code is unknown, was used, or has expired")
    if await server.revocations.cover(grant.email, grant.created_at.timestamp()):
        await server.end(grant)
        raise OAuthError("invalid_grant", "an administrator ended what the person had allowed")
    now = server.clock()
    problem = _find_problem(grant, request, now)
    if not grant.is_code(presented):
        problem = "the code was used before; what it stood for has ended"
    if problem:
        await server.end_misused(grant)
        raise OAuthError("invalid_grant", problem)
    refreshes = "refresh_token" in request.client.grant_types
    redeemed = grant.redeemed(presented, now, server.settings.refresh_token_lifetime, refreshes=refreshes)
    try:
        stored = await server.grants.put(redeemed)
    except RecordConflict:
        await server.end_misused(grant)
        raise OAuthError("invalid_grant", "the code was used twice at once; what it stood for has ended") from None
    await server.used(request.client)
    return await give(server, stored)


def _find_problem(grant: Grant, request: TokenRequest, now: datetime) -> str:
    """Why this client may not redeem this code in this way; ``""`` if it may."""
    form = request.form
    challenge = S256().challenge(form.get("code_verifier", ""))
    if grant.client_id != request.client.id:
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
