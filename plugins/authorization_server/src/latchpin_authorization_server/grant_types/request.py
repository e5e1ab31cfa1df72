"""What every grant type is given, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchpin.contracts import ProtectedResource
from latchpin.errors import NotSignedIn
from latchpin.model import Caller

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grants.grant import Grant, make_redeemed_grant
from latchpin_authorization_server.metadata import SCOPE
from latchpin_authorization_server.server import AuthorizationServer

__all__ = [
    "FindResource",
    "GrantType",
    "OwesAuthorization",
    "TokenRequest",
    "build_answer",
    "check_for_company",
    "give",
    "give_once",
]

FindResource = Callable[[str, Caller], Awaitable[ProtectedResource | None]]
"""Gives the MCP endpoint of exactly that URL; None where there is none that the caller may use."""

OwesAuthorization = Callable[[ProtectedResource, Caller], Awaitable[bool]]
"""Whether the resource is of no use before the caller authorizes the server behind it, as they were told."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request at the token endpoint whose client has proven itself, and may use the grant type.

    Attributes:
        client: who asks.
        form: the body's parameters, each once, none of them empty.
        find_resource: finds the MCP endpoints of this gateway.
        owes_authorization: whether one of them is of no use without a sign-in.
    """

    client: Client
    form: Mapping[str, str] = field(repr=False)
    find_resource: FindResource = field(repr=False)
    owes_authorization: OwesAuthorization = field(repr=False)


GrantType = Callable[[AuthorizationServer, TokenRequest], Awaitable[dict[str, Any]]]
"""Raises OAuthError where nothing is given, and BackendUnavailable where the store cannot be asked."""


async def give(server: AuthorizationServer, grant: Grant) -> dict[str, Any]:
    """Give an access token for a grant that is stored, with the grant's current refresh token if it has one."""
    access_token = await server.access_tokens.sign(
        email=grant.email, client_id=grant.client_id, resource=grant.resource, grant_id=grant.id
    )
    return build_answer(server, access_token, refresh_token=grant.successor)


async def check_for_company(request: TokenRequest, *, email: str, resource: str) -> None:
    """Refuse what no company's word can bring.

    Raises:
        OAuthError: the client does not prove itself, or there is no such endpoint for the person.
    """
    if request.client.auth_method == "none":
        raise OAuthError("unauthorized_client", "this grant type is for clients that prove themselves")
    if await request.find_resource(resource, Caller(email)) is None:
        raise OAuthError("invalid_target", "resource is no MCP endpoint that this person may use")


async def give_once(
    server: AuthorizationServer,
    request: TokenRequest,
    *,
    email: str,
    resource: str,
    issued_at: float,
    ends_at: datetime | None = None,
) -> dict[str, Any]:
    """Allow a client something on a company's word, for as long as one access token lasts; nothing renews it.

    Args:
        server: the authorization server.
        request: what was asked; ``check_for_company`` has judged it.
        email: the person.
        resource: the endpoint.
        issued_at: when the company gave its word, in seconds as in a JWT.
        ends_at: when it ends; None: not before the access token.

    Raises:
        OAuthError: the person's sessions were ended since.
    """
    if await server.revocations.cover(email, issued_at):
        raise OAuthError("invalid_grant", "an administrator signed this person out since")
    now = server.clock()
    lifetime = server.access_tokens.lifetime if ends_at is None else min(server.access_tokens.lifetime, ends_at - now)
    grant = make_redeemed_grant(
        email=email,
        client_id=request.client.id,
        client_name=request.client.name,
        resource=resource,
        now=now,
        lifetime=lifetime,
    )
    try:
        await server.allow(grant)
    except NotSignedIn as exc:
        raise OAuthError("invalid_grant", exc.detail) from exc
    await server.used(request.client)
    return await give(server, grant) | {"expires_in": int(lifetime.total_seconds())}


def build_answer(server: AuthorizationServer, access_token: str, *, refresh_token: str = "") -> dict[str, Any]:
    """What a client is told with its token (RFC 6749 section 5.1)."""
    answer: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int(server.access_tokens.lifetime.total_seconds()),
        "scope": SCOPE,
    }
    return answer | ({"refresh_token": refresh_token} if refresh_token else {})
