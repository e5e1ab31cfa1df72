"""Registration requests, built without I/O (RFC 7591 section 2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from latchpin.contracts import RegistrationRequest
from latchpin.errors import RegistrationFailed
from latchpin.model import ClientCredentials, RegisteredClient
from latchpin.sdk.oauth import plain_code
from latchpin.sdk.urls import is_loopback_host

__all__ = ["METHODS", "ClientMetadata", "build_metadata", "keep_agreed"]

METHODS = ("client_secret_basic", "client_secret_post", "none")  # those that need no key of ours
_NAME_LIMIT = 120


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

    def encode(self, client: ClientCredentials | None = None) -> bytes:
        """The request's body; empty members are left out. ``client`` is the one whose metadata is to change."""
        members = {
            "client_id": client.client_id if client else None,
            "client_secret": client.client_secret if client else None,
            "redirect_uris": self.redirect_uris,
            "grant_types": self.grant_types,
            "response_types": self.response_types,
            "application_type": self.application_type,
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
            "client_name": self.client_name,
            "scope": self.scope,
        }
        return json.dumps({name: value for name, value in members.items() if value}).encode()


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


def keep_agreed(metadata: ClientMetadata, client: RegisteredClient) -> ClientMetadata:
    """What is asked for in an update: an update replaces all metadata, so what was agreed on is sent again."""
    return replace(
        metadata,
        redirect_uris=tuple(dict.fromkeys((*metadata.redirect_uris, *client.redirect_uris))),
        grant_types=tuple(dict.fromkeys((*metadata.grant_types[:1], *client.grant_types))),
    )


def _grant_types(supported: Sequence[str] | None) -> tuple[str, ...]:
    if supported is None or "refresh_token" in supported:
        return ("authorization_code", "refresh_token")
    return ("authorization_code",)


def _method(request: RegistrationRequest, default: str, *, public: bool) -> str:
    possible = [method for method in METHODS if public or method != "none"]
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
