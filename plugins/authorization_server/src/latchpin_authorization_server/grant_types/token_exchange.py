"""``urn:ietf:params:oauth:grant-type:token-exchange``: a company's token for one of an MCP endpoint (RFC 8693).

The company's token is one that JWT_JWKS_URL proves: it says who the person is at every endpoint, and what is given for
it says so at one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt
from latchpin.errors import InvalidRequest, UpstreamError
from latchpin.sdk.identity import explain_jwt
from latchpin.sdk.oauth import LONGEST_ASSERTION

from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, check_for_company, give_once
from latchpin_authorization_server.issuers import CompanyTokens, read_address
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["TOKEN_EXCHANGE", "exchange"]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  a grant's name
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a type
TAKEN = frozenset({ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt"})


async def exchange(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """Give an access token for one endpoint, which ends no later than the company's token."""
    if request.client.source != "entered":
        raise OAuthError("unauthorized_client", "this grant type is for clients that an administrator entered")
    company, resource = server.company, _check_form(request)
    if company is None:
        raise OAuthError("unsupported_grant_type", "no company's tokens are taken here")
    claims = await _prove(company, request.form.get("subject_token", ""))
    try:
        email = read_address(claims, company.email_claim)
    except InvalidRequest:
        raise _refused("it names no verified address") from None
    await check_for_company(request, email=email, resource=resource)
    answer = await give_once(
        server,
        request,
        email=email,
        resource=resource,
        issued_at=float(claims.get("iat", 0)),
        ends_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
    return answer | {"issued_token_type": ACCESS_TOKEN}


def _check_form(request: TokenRequest) -> str:
    """The endpoint that is asked for. Raises OAuthError where something else is asked for than what there is."""
    form = request.form
    if form.get("subject_token_type") not in TAKEN:
        raise OAuthError("invalid_request", f"subject_token_type is one of {', '.join(sorted(TAKEN))}")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"requested_token_type is {ACCESS_TOKEN}")
    if "actor_token" in form or "actor_token_type" in form:
        raise OAuthError("invalid_request", "an actor_token is not taken")
    resource = form.get("resource", "")
    if not resource or form.get("audience", resource) != resource:
        raise OAuthError("invalid_target", "resource is required: the URL of the MCP endpoint, and nothing beside it")
    return resource


async def _prove(company: CompanyTokens, text: str) -> dict[str, Any]:
    if not text or len(text) > LONGEST_ASSERTION:
        raise OAuthError("invalid_request", "subject_token is missing, or too long")
    try:
        return await company.issuers.prove(text, issuer=company.issuer, audience=company.audience)
    except jwt.InvalidTokenError as exc:
        raise _refused(explain_jwt(exc)) from None
    except UpstreamError as exc:
        raise OAuthError("temporarily_unavailable", "the issuer's keys cannot be fetched", status=503) from exc


def _refused(why: str) -> OAuthError:
    return OAuthError("invalid_grant", f"the subject_token was refused: {why}")
