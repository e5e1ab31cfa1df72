"""The authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

__all__ = ["RESERVED_PARAMETERS", "AuthorizationRequest", "build_authorization_url", "choose_scopes"]

RESERVED_PARAMETERS = frozenset(
    {
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "resource",
        "audience",
        "request",
        "request_uri",
        "response_mode",
        "dpop_jkt",
    }
)
"""What ``extra_authorize_params`` can never set: ours to say, or able to change what we say."""

OFFLINE_ACCESS = "offline_access"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Everything that goes into the redirect to the provider."""

    authorization_endpoint: str
    client_id: str
    redirect_uri: str
    state: str = field(repr=False)
    code_challenge: str
    code_challenge_method: str
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    scope_parameter: str = "scope"
    resource: str | None = None
    audience: str | None = None
    key_thumbprint: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def build_authorization_url(request: AuthorizationRequest) -> str:
    """Build the URL to send the browser to; a query that the endpoint already has is kept (RFC 6749 3.1)."""
    parameters = {key: value for key, value in request.extra.items() if key not in RESERVED_PARAMETERS}
    parameters |= {
        "response_type": "code",
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state,
        "code_challenge": request.code_challenge,
        "code_challenge_method": request.code_challenge_method,
    }
    if request.scopes and request.scope_parameter not in parameters:  # one by another name may be configured
        parameters[request.scope_parameter] = request.scope_separator.join(request.scopes)
    if request.resource is not None:
        parameters["resource"] = request.resource
    if request.audience is not None:
        parameters["audience"] = request.audience
    if request.key_thumbprint is not None:  # the code serves nobody without the key (RFC 9449 section 10)
        parameters["dpop_jkt"] = request.key_thumbprint
    parts = urlsplit(request.authorization_endpoint)
    query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def choose_scopes(
    *,
    configured: tuple[str, ...],
    challenged: tuple[str, ...] | None,
    resource_supports: tuple[str, ...] | None,
    server_supports: tuple[str, ...] | None,
    added: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Decide what to ask for: what is configured, else the challenge's, else the resource's, else nothing.

    ``offline_access`` is left out of what was found unless the authorization server lists it. Besides what was found,
    ``added`` is asked for: what the provider is known to want.
    """
    if configured:
        return configured
    found = challenged or resource_supports or ()
    offline = server_supports is not None and OFFLINE_ACCESS in server_supports
    kept = tuple(scope for scope in found if scope != OFFLINE_ACCESS or offline)
    return tuple(dict.fromkeys((*kept, *added))) if kept else ()
