"""The authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707)."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote_plus, urlencode, urlsplit, urlunsplit

__all__ = [
    "RESERVED_PARAMETERS",
    "AuthorizationLink",
    "AuthorizationRequest",
    "build_authorization_link",
    "build_authorization_url",
    "check_extra_parameters",
    "choose_scopes",
    "may_be_added",
]

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
        "dpop_jkt",
    }
)
"""What ``extra_authorize_params`` can never set: ours to say, or able to change what we say."""

RESPONSE_MODE, QUERY = "response_mode", "query"
"""The one way in which an answer is read here. Some servers have another until they are told (form_post, fragment)."""

_OF_THE_SERVER = frozenset({"scope", "audience", "resource"})
"""What an endpoint may have in its own query, as long as we send none: it widens nothing that we say."""

OFFLINE_ACCESS = "offline_access"

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # RFC 3986 section 2.3


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


def may_be_added(name: str, value: str) -> bool:
    """Whether ``extra_authorize_params`` may hold this."""
    return value == QUERY if name == RESPONSE_MODE else name not in RESERVED_PARAMETERS


def check_extra_parameters(extra: Mapping[str, str]) -> None:
    """Judge what is entered as ``extra_authorize_params``.

    Raises:
        ValueError: it sets what it may not; the text names every such parameter.
    """
    refused = [name for name in sorted(extra) if not may_be_added(name, extra[name])]
    if RESPONSE_MODE in refused:
        raise ValueError(f"must not set {RESPONSE_MODE} to anything but '{QUERY}': an answer is read from the query")
    if refused:
        raise ValueError(f"must not contain {', '.join(refused)}: the gateway sets those itself")


@dataclass(frozen=True, slots=True)
class AuthorizationLink:
    """The URL of authorization requests that differ in their state and code challenge only: the rest is encoded once.

    Attributes:
        head: the URL up to the state.
        tail: what follows the code challenge.
    """

    head: str
    tail: str

    def fill(self, state: str, code_challenge: str) -> str:
        """The URL to send one browser to."""
        return f"{self.head}{_quoted(state)}&code_challenge={_quoted(code_challenge)}{self.tail}"


def _quoted(value: str) -> str:
    """``value`` as a query has it; ours are written so already, and are not read twice."""
    return value if _PLAIN.fullmatch(value) else quote_plus(value)


def build_authorization_url(request: AuthorizationRequest) -> str:
    """Build the URL to send the browser to; a query that the endpoint already has is kept (RFC 6749 3.1).

    No parameter is in it twice (same section). What is set here replaces what the endpoint has by that name; what only
    we may set is left out of its query also where we do not set it.
    """
    return build_authorization_link(request).fill(request.state, request.code_challenge)


def build_authorization_link(request: AuthorizationRequest) -> AuthorizationLink:
    """Build the URL as ``build_authorization_url`` does, for any state and challenge; the request's are not read."""
    before = {key: value for key, value in request.extra.items() if may_be_added(key, value)}
    before |= {"response_type": "code", "client_id": request.client_id, "redirect_uri": request.redirect_uri}
    after = {"code_challenge_method": request.code_challenge_method}
    names = {"state", "code_challenge", *before, *after}
    if request.scopes and request.scope_parameter not in names:  # one by another name may be configured
        after[request.scope_parameter] = request.scope_separator.join(request.scopes)
    if request.resource is not None:
        after["resource"] = request.resource
    if request.audience is not None:
        after["audience"] = request.audience
    if request.key_thumbprint is not None:  # the code serves nobody without the key (RFC 9449 section 10)
        after["dpop_jkt"] = request.key_thumbprint
    parts = urlsplit(request.authorization_endpoint)
    query = "&".join([*_kept_of(parts.query, names | after.keys()), urlencode(before), "state="])
    return AuthorizationLink(
        head=urlunsplit((parts.scheme, parts.netloc, parts.path, query, "")), tail=f"&{urlencode(after)}"
    )


def _kept_of(query: str, parameters: Container[str]) -> list[str]:
    """The parts of the endpoint's own query that stay, as they are written."""
    kept = []
    for part in query.split("&"):
        name, value = (unquote_plus(text) for text in part.partition("=")[::2])
        if part and name not in parameters and (name in _OF_THE_SERVER or may_be_added(name, value)):
            kept.append(part)
    return kept


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
