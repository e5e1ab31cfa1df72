"""Registration requests built and client information responses parsed (RFC 7591 sections 2 and 3), without I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from latchpin.causes.provider import DCR_REFUSED
from latchpin.configuration import is_loopback_host
from latchpin.contracts import Registration, RegistrationRequest
from latchpin.errors import RegistrationFailed
from latchpin.model import ClientCredentials, Reply
from latchpin.oauth.pauses import choose_pause
from latchpin.oauth.refusal import plain_code, plain_words
from latchpin.urls import split_origin

__all__ = ["ClientMetadata", "build_metadata", "parse_registration"]

_METHODS = ("client_secret_basic", "client_secret_post", "none")  # those that need no key of ours
_VISIBLE = re.compile(r"[\x20-\x7E]{1,8192}")
_NAME_LIMIT = 120
_BODY_LIMIT = 256 * 1024
_REMEDIES = {
    "invalid_redirect_uri": "Have the provider allow this gateway's redirect URI, or register a client by hand.",
    "invalid_client_metadata": (
        "Compare the scopes on the gateway, DCR_DEFAULT_SCOPES and DCR_TOKEN_ENDPOINT_AUTH_METHOD with what the "
        "provider allows, or register a client by hand."
    ),
    "invalid_software_statement": "The provider wants a software statement; register a client by hand.",
    "unapproved_software_statement": "The provider wants a software statement; register a client by hand.",
}
_BY_STATUS = {
    401: "The provider registers only with an initial access token; register a client by hand.",
    403: "The provider does not let everybody register; register a client by hand.",
    404: "The registration endpoint in the server's metadata does not exist; register a client by hand.",
    429: "Try again later.",
}


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What the client is to be: sent as JSON, and the reading of whatever the reply leaves out."""

    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    response_types: tuple[str, ...]
    application_type: str
    token_endpoint_auth_method: str
    client_name: str
    scope: str

    def encode(self) -> bytes:
        """The request's body; empty members are left out."""
        members = {
            "redirect_uris": self.redirect_uris,
            "grant_types": self.grant_types,
            "response_types": self.response_types,
            "application_type": self.application_type,
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
            "client_name": self.client_name,
            "scope": self.scope,
        }
        return json.dumps({name: value for name, value in members.items() if value}).encode()


# -- the request --------------------------------------------------------------------------------------


def build_metadata(
    request: RegistrationRequest, *, default_method: str, default_scopes: Sequence[str], name_template: str
) -> ClientMetadata:
    """Build what is asked for.

    ``application_type`` is ``native`` for a loopback redirect URI (OpenID Connect registration forbids those
    to ``web`` clients). ``refresh_token`` is asked for unless the server says it has no such grant. The
    default scopes are sent only where nothing else is asked for, without those the server does not list.

    Raises:
        RegistrationFailed: the server offers no authentication method that a registered client could use.
    """
    server = request.server
    grant = request.gateway.oauth.grant_type if request.gateway.oauth is not None else "authorization_code"
    for_itself = grant != "authorization_code"
    loopback = is_loopback_host(urlsplit(request.redirect_uri).hostname or "")
    scopes: Sequence[str] = request.scopes
    if not scopes:
        listed = server.scopes_supported
        scopes = [scope for scope in default_scopes if listed is None or scope in listed]
    return ClientMetadata(
        redirect_uris=() if for_itself else (request.redirect_uri,),
        grant_types=(grant,) if for_itself else _grant_types(server.grant_types_supported),
        response_types=() if for_itself else ("code",),
        application_type="native" if loopback else "web",
        token_endpoint_auth_method=_method(request, default_method, public=not for_itself),
        client_name=_client_name(name_template, request.gateway.name),
        scope=" ".join(scopes),
    )


def _grant_types(supported: Sequence[str] | None) -> tuple[str, ...]:
    if supported is None or "refresh_token" in supported:
        return ("authorization_code", "refresh_token")
    return ("authorization_code",)


def _method(request: RegistrationRequest, default: str, *, public: bool) -> str:
    possible = [method for method in _METHODS if public or method != "none"]
    wanted = request.auth_method
    if wanted is not None:
        if wanted in possible:
            return wanted
        raise RegistrationFailed(f"A client that authenticates with {plain_code(wanted)} cannot be registered by DCR.")
    supported = request.server.token_endpoint_auth_methods_supported
    for method in (default, *possible):
        if method in possible and (not supported or method in supported):
            return method
    raise RegistrationFailed(
        f"{request.server.issuer} offers only client authentication that needs a key or certificate of the client's."
    )


def _client_name(template: str, gateway_name: str) -> str:
    text = template.replace("{gateway_name}", gateway_name)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_NAME_LIMIT]


# -- the answer ---------------------------------------------------------------------------------------


def parse_registration(reply: Reply, asked: ClientMetadata, *, issuer: str | None, now: datetime) -> Registration:
    """Parse the server's answer; what it says counts, not what was asked.

    Members that the reply leaves out, although the standard wants them, are read as asked for. Status 200 is
    taken for 201. Where the client is managed (RFC 7592) is believed only at the registration endpoint's or the
    issuer's own origin: else any server could aim requests of ours, with a token of its choice, at any other.

    Args:
        reply: what the registration endpoint answered.
        asked: what it was asked for.
        issuer: whose endpoint it is.
        now: the current time.

    Raises:
        RegistrationFailed: the server refused, or registered something that we cannot use.
    """
    host = urlsplit(reply.url).hostname or "the server"
    document = _parse_document(reply, host)
    if reply.status not in (200, 201) or "error" in document:
        raise _refused(reply, document, host)
    client_id = _text(document, "client_id")
    if client_id is None:
        raise _unusable(host, "no client_id")
    secret = _text(document, "client_secret")
    method = _agreed_method(document, asked, host, has_secret=secret is not None)
    redirect_uris = _words(document, "redirect_uris", asked.redirect_uris)
    if not set(asked.redirect_uris) <= set(redirect_uris):
        raise _unusable(host, "redirect URIs without this gateway's")
    grant_types = _words(document, "grant_types", asked.grant_types)
    if asked.grant_types[0] not in grant_types:
        raise _unusable(host, f"no {asked.grant_types[0]} grant")
    managed_at = _own_url(document, "registration_client_uri", reply.url, issuer)
    return Registration(
        credentials=ClientCredentials(client_id, secret if method != "none" else None, method),
        redirect_uris=redirect_uris,
        grant_types=grant_types,
        scope=_text(document, "scope") or ("" if "scope" in document else asked.scope),
        registration_client_uri=managed_at,
        registration_access_token=_text(document, "registration_access_token") if managed_at else None,
        secret_expires_at=_expiry(document, host, now) if method != "none" else None,
    )


def _parse_document(reply: Reply, host: str) -> dict[str, Any]:
    try:
        document = json.loads(reply.body.decode("utf-8-sig")) if len(reply.body) <= _BODY_LIMIT else None
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    if reply.status in (200, 201):
        raise _unusable(host, "something that is not a JSON object")
    return {}


def _refused(reply: Reply, document: Mapping[str, Any], host: str) -> RegistrationFailed:
    code = plain_code(document["error"]) if document.get("error") else ""
    words = plain_words(document.get("error_description"))
    fact = f"{host} answered the registration with HTTP {reply.status}"
    fact += f" and '{code}'." if code else "."
    remedy = _REMEDIES.get(code) or _BY_STATUS.get(reply.status)
    if remedy is None and reply.status >= 500:  # noqa: PLR2004  HTTP
        remedy = "Try again later; if it repeats, register a client by hand and enter it on the gateway."
    what = f'{fact} It adds: "{words}"' if words else fact
    refused = RegistrationFailed().explain_as(DCR_REFUSED, remedy=remedy, what=what)
    refused.retry_after = choose_pause(reply, code, page=None)
    return refused


def _unusable(host: str, what: str) -> RegistrationFailed:
    return RegistrationFailed().explain_as(DCR_REFUSED, what=f"{host} answered the registration with {what}.")


def _agreed_method(document: Mapping[str, Any], asked: ClientMetadata, host: str, *, has_secret: bool) -> str:
    method = _text(document, "token_endpoint_auth_method") or asked.token_endpoint_auth_method
    if method not in _METHODS:
        raise _unusable(host, f"an authentication method that was not asked for ('{plain_code(method)}')")
    if not has_secret:
        return "none"  # whatever it says: there is nothing to prove with
    return method


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and _VISIBLE.fullmatch(value) else None


def _words(document: Mapping[str, Any], name: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    value = document.get(name)
    if not isinstance(value, list):
        return otherwise
    return tuple(word for word in value if isinstance(word, str) and _VISIBLE.fullmatch(word))


def _own_url(document: Mapping[str, Any], name: str, *homes: str | None) -> str | None:
    """A URL at the origin of one of ``homes``, else None."""
    value = _text(document, name)
    origin = split_origin(value) if value else None
    return value if origin and origin in [split_origin(home) for home in homes if home] else None


def _expiry(document: Mapping[str, Any], host: str, now: datetime) -> datetime | None:
    """``client_secret_expires_at``: seconds since 1970, 0 for never."""
    value = document.get("client_secret_expires_at")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:  # noqa: PLR2004  int64
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        expires_at = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # beyond what a date can hold is never
    if expires_at <= now:
        raise _unusable(host, "a client_secret that has expired already")
    return expires_at
