"""What an authorization server's error codes mean: at the authorization endpoint and at the token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latchpin.errors.causes.cause import Cause, Fault

__all__ = ["AUTHORIZATION", "REFUSED", "SAID", "TOKEN", "TOKEN_REFUSED"]

_AGAIN = "Start again with Authorize."

AUTHORIZATION_REFUSED = Cause(
    slug="authorization-refused",
    fault="the authorization server",
    status=502,
    title="The authorization server refused",
    public="The authorization server refused the authorization.",
    happened="{code}: the authorization server gave a code that is not in the standards{words}",
    remedy=_AGAIN,
    meaning=(
        "The authorization server answered with an error that is none of the standards'. The detail "
        "names it, with the authorization server's own words if they are plain text."
    ),
    see="the-server-refused",
)


def _refused(code: str, fault: Fault, what: str, remedy: str, status: int = 502) -> Cause:
    """An error code of RFC 6749 section 4.1.2.1, RFC 8707 or OpenID Connect in the callback."""
    return replace(
        AUTHORIZATION_REFUSED,
        slug=f"refused-{code.replace('_', '-')}",
        fault=fault,
        status=status,
        happened=f"{code}: {what}{{words}}",
        remedy=remedy,
        meaning=f"The authorization server answered `{code}` instead of a code: {what}.",
        general=AUTHORIZATION_REFUSED.slug,
    )


AUTHORIZATION: Mapping[str, Cause] = {
    "access_denied": _refused(
        "access_denied",
        "the person",
        "the user or the server declined",
        "Start again and consent, or ask the server's administrator.",
        403,
    ),
    "invalid_request": _refused(
        "invalid_request",
        "the administrator",
        "the server found the request malformed",
        "Check extra_authorize_params and the endpoint URLs.",
    ),
    "unauthorized_client": _refused(
        "unauthorized_client",
        "the administrator",
        "this client may not use the authorization code grant",
        "Allow the grant for this client at the authorization server.",
    ),
    "unsupported_response_type": _refused(
        "unsupported_response_type",
        "the authorization server",
        "the server does not offer response_type=code",
        "Use a server that supports the authorization code grant.",
    ),
    "invalid_scope": _refused(
        "invalid_scope",
        "the administrator",
        "the server does not know or allow the scopes asked for",
        "Correct 'scopes' on the gateway.",
    ),
    "invalid_target": _refused(
        "invalid_target",
        "the administrator",
        "the server does not accept the resource indicator",
        "Correct 'resource' on the gateway, or set omit_resource.",
    ),
    "server_error": _refused(
        "server_error",
        "the authorization server",
        "the server failed",
        "Try again later; if it repeats, ask the server's operator.",
    ),
    "temporarily_unavailable": _refused(
        "temporarily_unavailable",
        "the authorization server",
        "the server is overloaded or in maintenance",
        "Try again later.",
    ),
    "login_required": _refused(
        "login_required",
        "the person",
        "the server wants the user to sign in there first",
        "Sign in at the authorization server, then start again.",
    ),
    "consent_required": _refused(
        "consent_required",
        "the person",
        "the server wants the user's consent",
        "Start again and consent; remove prompt=none if it is configured.",
    ),
    "interaction_required": _refused(
        "interaction_required",
        "the person",
        "the server must ask the user something",
        "Start again; remove prompt=none if it is configured.",
    ),
}
"""By the code in the callback."""

TOKEN_REFUSED_AT_ALL = Cause(
    slug="token-refused",
    fault="the authorization server",
    status=502,
    title="The authorization server refused the token request",
    public="The authorization server refused the token request.",
    happened="{host} answered '{code}': {what}.{words}",
    remedy="Ask the server's operator, naming the time and this gateway's client_id.",
    meaning=(
        "The token endpoint answered with an error (RFC 6749 section 5.2) that has no heading of its own below. The "
        "detail names it."
    ),
    see="the-server-refused",
)

SAID: Mapping[str, str] = {
    "invalid_client": "it does not accept this gateway's client: unknown, deleted, or proven in the wrong way",
    "invalid_grant": (
        "the authorization code, refresh token or assertion is used up, expired, revoked, or belongs to another "
        "client or redirect URI"
    ),
    "unauthorized_client": "this client may not use this kind of grant",
    "invalid_scope": "it does not know one of the scopes, or does not grant it to this client",
    "invalid_request": "it finds the request incomplete or contradictory",
    "unsupported_grant_type": "it does not offer this kind of grant",
    "invalid_target": "it does not issue tokens for the resource that was named (RFC 8707)",
    "redirect_uri_mismatch": "the redirect URI is not the one that it knows for this client or authorization",
    "access_denied": "the user or a policy of the server said no",
    "server_error": "it failed inside",
    "temporarily_unavailable": "it is overloaded or being maintained",
    "slow_down": "it was asked too often",
}
"""What each code of a token endpoint means, in a phrase."""


def _token(code: str, fault: Fault, remedy: str) -> Cause:
    return replace(
        TOKEN_REFUSED_AT_ALL,
        slug=f"token-{code.replace('_', '-')}",
        fault=fault,
        remedy=remedy,
        meaning=f"The token endpoint answered `{code}`: {SAID[code]}.",
        general=TOKEN_REFUSED_AT_ALL.slug,
    )


TOKEN: Mapping[str, Cause] = {
    "invalid_client": _token(
        "invalid_client",
        "the administrator",
        "Check client_id, client_secret and token_endpoint_auth_method on the gateway; a client registered by "
        "DCR can be deleted and is then registered anew.",
    ),
    "invalid_grant": _token("invalid_grant", "the authorization server", _AGAIN),
    "unauthorized_client": _token(
        "unauthorized_client",
        "the administrator",
        "Allow the grant type for this client at the authorization server, or change grant_type on the gateway.",
    ),
    "invalid_scope": _token("invalid_scope", "the administrator", "Correct the scopes on the gateway."),
    "invalid_request": _token(
        "invalid_request",
        "the administrator",
        "Compare the gateway's redirect_uri, resource and token_endpoint_auth_method with what the server expects.",
    ),
    "unsupported_grant_type": _token(
        "unsupported_grant_type",
        "the authorization server",
        "Change grant_type on the gateway to one that the server offers.",
    ),
    "invalid_target": _token(
        "invalid_target",
        "the administrator",
        "Correct the gateway's resource, or set omit_resource if the server does not know resources.",
    ),
    "redirect_uri_mismatch": _token(
        "redirect_uri_mismatch",
        "the administrator",
        "Register exactly the gateway's redirect URI at the authorization server, then start again with Authorize.",
    ),
    "access_denied": _token("access_denied", "the person", _AGAIN),
    "server_error": _token(
        "server_error", "the authorization server", "Try again later; if it repeats, ask the server's operator."
    ),
    "temporarily_unavailable": _token("temporarily_unavailable", "the authorization server", "Try again later."),
    "slow_down": _token("slow_down", "the gateway", "Try again in a while."),
}
"""By the code in the token endpoint's answer."""

CLIENT_FORGOTTEN = Cause(
    slug="client-forgotten",
    fault="the authorization server",
    status=401,
    title="Authorize first",
    public="You have no usable token for this gateway.",
    happened=(
        "{issuer} no longer knows the client that it registered for this gateway; start again, and a new one is "
        "registered"
    ),
    remedy="Open authorize_url in a browser.",
    meaning=(
        "The token endpoint answered `invalid_client` to a client that it had registered by DCR. The gateway dropped "
        "that client, and registers another when somebody starts again; once an hour, since more would not help."
    ),
    see="the-server-refused",
    general="authorization-required",
)

REFUSED = (AUTHORIZATION_REFUSED, *AUTHORIZATION.values())
TOKEN_REFUSED = (TOKEN_REFUSED_AT_ALL, *TOKEN.values(), CLIENT_FORGOTTEN)
