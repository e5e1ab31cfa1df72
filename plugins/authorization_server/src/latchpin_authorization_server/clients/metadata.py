"""What a client says about itself, registered or in its document, read with distrust (RFC 7591 section 2). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from latchpin.errors import UpstreamUnreadable
from latchpin.sdk.identity import parse_key_set
from latchpin.sdk.urls import split_origin

from latchpin_authorization_server.clients.client import AUTH_METHODS, DOCUMENT_AUTH_METHODS, Client, Source
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.redirect_uris import check_redirect_uri
from latchpin_authorization_server.shown_text import one_line

__all__ = ["GRANT_TYPES", "parse_client_metadata"]

GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
)
"""Those that a client may claim by itself; the last is of use where an identity provider vouches for the client."""
GRANT_TYPES_UNSAID = ["authorization_code", "refresh_token"]
"""Of a client that names none. RFC 7591 would leave the second out, and then a browser would open every ten minutes."""
MOST_REDIRECT_URIS = 20
_LONGEST_NAME = 80


def parse_client_metadata(
    said: Mapping[str, Any], *, client_id: str, source: Source, schemes: Iterable[str] = ()
) -> Client:
    """Read client metadata: what decides must hold, what is not known is left out.

    Args:
        said: the JSON object.
        client_id: what the client is called.
        source: where that comes from.
        schemes: further private-use schemes of redirect URIs.

    Raises:
        OAuthError: ``invalid_redirect_uri`` or ``invalid_client_metadata`` (RFC 7591 section 3.2.2).
    """
    method = said.get("token_endpoint_auth_method", "none" if source == "document" else "client_secret_basic")
    methods = DOCUMENT_AUTH_METHODS if source == "document" else AUTH_METHODS
    if method not in methods:
        raise OAuthError("invalid_client_metadata", f"token_endpoint_auth_method is one of {', '.join(methods)}")
    grant_types = said.get("grant_types", GRANT_TYPES_UNSAID)
    if not isinstance(grant_types, list) or not all(isinstance(each, str) for each in grant_types):
        raise OAuthError("invalid_client_metadata", "grant_types is a list of texts")
    wanted = tuple(each for each in GRANT_TYPES if each in grant_types)
    if not wanted:
        raise OAuthError("invalid_client_metadata", f"grant_types has at least one of {', '.join(GRANT_TYPES)}")
    if "authorization_code" in wanted and "code" not in _words(said, "response_types", ["code"]):
        raise OAuthError("invalid_client_metadata", "response_types has code")
    client = Client(client_id, _name(said), source, _redirect_uris(said, wanted, schemes), wanted, method)
    return client if method != "private_key_jwt" else _with_keys(client, said)


def _redirect_uris(said: Mapping[str, Any], grant_types: tuple[str, ...], schemes: Iterable[str]) -> tuple[str, ...]:
    uris = said.get("redirect_uris", [])
    if not isinstance(uris, list) or len(uris) > MOST_REDIRECT_URIS:
        raise OAuthError("invalid_redirect_uri", f"redirect_uris is a list of at most {MOST_REDIRECT_URIS}")
    if not uris and "authorization_code" in grant_types:
        raise OAuthError("invalid_redirect_uri", "redirect_uris has at least one")
    try:
        return tuple(check_redirect_uri(uri, schemes=schemes) for uri in uris)
    except ValueError as exc:
        raise OAuthError("invalid_redirect_uri", str(exc)) from None


def _name(said: Mapping[str, Any]) -> str:
    name = said.get("client_name", "")
    if not isinstance(name, str):
        raise OAuthError("invalid_client_metadata", "client_name is text")
    shown = one_line(name)
    return shown[:_LONGEST_NAME] or "An application without a name"


def _words(said: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    value = said.get(name, default)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise OAuthError("invalid_client_metadata", f"{name} is a list of texts")
    return value


def _with_keys(client: Client, said: Mapping[str, Any]) -> Client:
    """What proves a client that signs assertions (RFC 7591 section 2): keys, or where they are at its own origin."""
    jwks, uri = said.get("jwks"), said.get("jwks_uri")
    if (jwks is None) == (uri is None):
        raise OAuthError("invalid_client_metadata", "private_key_jwt has either jwks or jwks_uri")
    if uri is not None:
        if not isinstance(uri, str) or split_origin(uri) is None or split_origin(uri) != split_origin(client.id):
            raise OAuthError("invalid_client_metadata", "jwks_uri is a URL of the origin that the document is at")
        return replace(client, jwks_uri=uri)
    written = json.dumps(jwks, separators=(",", ":"))
    try:
        keys = parse_key_set(written.encode(), name="jwks")
    except UpstreamUnreadable:
        keys = ()
    if not keys or not isinstance(jwks, dict):
        raise OAuthError("invalid_client_metadata", "jwks is a JWK Set with a public key that signs")
    if any("d" in each for each in jwks["keys"] if isinstance(each, dict)):
        raise OAuthError("invalid_client_metadata", "jwks holds a private key, which everybody can read")
    return replace(client, jwks=written)
