"""``refresh_token``: what a client was given beside its access token."""

from __future__ import annotations

from typing import Any

from latchpin.errors import RecordConflict
from latchpin.model import Caller

from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, give
from latchpin_authorization_server.grants.grant import Grant, parse_presented
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["refresh"]

_ATTEMPTS = 5


async def refresh(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """``refresh_token`` (RFC 6749 section 6) with rotation: an old one that comes again ends the grant (RFC 9700 4.14).

    Within ``GRACE`` it is answered with the token that took its place, since its answer may have been lost.
    """
    presented = parse_presented(request.form.get("refresh_token", ""))
    for _ in range(_ATTEMPTS):
        grant = None if presented is None else await server.grants.get(presented.grant_id)
        now = server.clock()
        judgement = "foreign" if presented is None or grant is None else grant.judge(presented, now)
        if presented is None or grant is None or judgement == "foreign":
            raise OAuthError("invalid_grant", "the refresh token is unknown or has ended")
        if await server.revocations.cover(grant.email, grant.created_at.timestamp()):
            await server.end(grant)
            raise OAuthError("invalid_grant", "an administrator ended what the person had allowed")
        if grant.client_id != request.client.id or judgement == "reused":
            await server.end_misused(grant)
            raise OAuthError("invalid_grant", "the refresh token was used before; what it stood for has ended")
        if request.form.get("resource", grant.resource) != grant.resource:
            raise OAuthError("invalid_target", "the refresh token is for another resource")
        if await _owes_authorization(request, grant):
            raise OAuthError("invalid_grant", "the person has to sign in and authorize the server behind the resource")
        if judgement == "repeated":
            return await give(server, grant)
        try:
            rotated = grant.rotated(presented, now, server.settings.refresh_token_lifetime)
            stored = await server.grants.put(rotated)
        except RecordConflict:
            continue  # another request used it at the same moment: this one is its repetition
        await server.used(request.client)
        return await give(server, stored)
    raise OAuthError("temporarily_unavailable", "the grant is changed by others all the time", status=503)


async def _owes_authorization(request: TokenRequest, grant: Grant) -> bool:
    """Whether the endpoint answers 401 until the person signs in.

    Many clients meet a 401 with a refresh; only where that is refused do they lead their person on.
    """
    caller = Caller(grant.email)
    resource = await request.find_resource(grant.resource, caller)
    return resource is not None and await request.owes_authorization(resource, caller)
