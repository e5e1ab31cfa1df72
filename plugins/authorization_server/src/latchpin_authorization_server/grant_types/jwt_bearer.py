"""``urn:ietf:params:oauth:grant-type:jwt-bearer``: a company's identity provider lets its people's applications in.

What it signs is an ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant), redeemed by RFC 7523 section 2.1; MCP
calls that enterprise-managed authorization. The person is not asked: who is in charge of the identity provider has
decided which application may do what for whom.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from latchpin.errors import InvalidRequest, UpstreamError
from latchpin.sdk.identity import explain_jwt
from latchpin.sdk.oauth import LONGEST_ASSERTION, read_claims

from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, check_for_company, give_once
from latchpin_authorization_server.issuers import LEEWAY_SECONDS, read_address
from latchpin_authorization_server.metadata import SCOPE
from latchpin_authorization_server.server import AuthorizationServer
from latchpin_authorization_server.single_use import LONGEST_NAME

__all__ = ["JWT_BEARER", "redeem_assertion"]

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TYPE = "oauth-id-jag+jwt"
LONGEST = timedelta(hours=1)
"""How far away an assertion's end may be: so long is remembered that it was used."""


async def redeem_assertion(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """Give an access token for an assertion: once, to the client that it names, for an endpoint that it names."""
    text = request.form.get("assertion", "")
    if not text or len(text) > LONGEST_ASSERTION:
        raise OAuthError("invalid_request", "assertion is missing, or too long")
    claims = await _prove(server, text)
    resource = _read_resource(request, claims)
    email = _check(request, claims)
    await check_for_company(request, email=email, resource=resource)
    await _use_up(server, claims)
    return await give_once(server, request, email=email, resource=resource, issued_at=float(claims["iat"]))


async def _prove(server: AuthorizationServer, text: str) -> dict[str, Any]:
    try:
        if str(jwt.get_unverified_header(text).get("typ", "")).lower().removeprefix("application/") != TYPE:
            raise _refused(f"its typ is not {TYPE}")
        return await server.id_jag_issuers.prove(text, issuer=read_claims(text).get("iss"), audience=server.issuer)
    except jwt.InvalidTokenError as exc:
        raise _refused(explain_jwt(exc)) from None
    except RecursionError:
        raise _refused("it is malformed") from None
    except UpstreamError as exc:
        raise OAuthError("temporarily_unavailable", "the issuer's keys cannot be fetched", status=503) from exc


def _check(request: TokenRequest, claims: dict[str, Any]) -> str:
    """Whom a proven assertion is about. Raises OAuthError where it is not meant for this request."""
    if not isinstance(claims["aud"], str):
        raise _refused("it is for several servers")
    if claims.get("client_id") != request.client.id:
        raise _refused("it was given to another client")
    if "iat" not in claims:
        raise _refused("it has no iat")
    if "scope" in claims and SCOPE not in str(claims["scope"]).split():
        raise OAuthError("invalid_scope", f"the assertion does not allow {SCOPE}")
    try:
        return read_address(claims, "email", "sub")
    except InvalidRequest:
        raise _refused("it names no verified address in email or sub") from None


def _read_resource(request: TokenRequest, claims: dict[str, Any]) -> str:
    """The endpoint that is meant: one that the assertion names, and the only one unless the request says which."""
    named = claims.get("resource")
    allowed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    asked = request.form.get("resource") or (allowed[0] if len(allowed) == 1 else None)
    if not isinstance(asked, str) or asked not in allowed:
        raise OAuthError("invalid_target", "resource is not one that the assertion names")
    return asked


async def _use_up(server: AuthorizationServer, claims: dict[str, Any]) -> None:
    """Let it be good once, for all workers; raises OAuthError if it was used before."""
    named, ends = claims.get("jti"), datetime.fromtimestamp(claims["exp"], UTC)
    leeway = timedelta(seconds=LEEWAY_SECONDS)
    if not isinstance(named, str) or not named or len(named) > LONGEST_NAME:
        raise _refused("it has no jti")
    if ends > server.clock() + LONGEST + leeway:
        raise _refused(f"it ends more than {LONGEST.seconds // 60} minutes from now")
    if not await server.use_up("identity-assertion", claims["iss"], named, until=ends + leeway):
        raise _refused("it was used before")


def _refused(why: str) -> OAuthError:
    return OAuthError("invalid_grant", f"the assertion was refused: {why}")
