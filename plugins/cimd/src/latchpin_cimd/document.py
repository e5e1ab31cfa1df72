"""What a client identifier URL may be, when it is used, and what the document behind it says. No I/O.

draft-ietf-oauth-client-id-metadata-document, as the MCP authorization specification uses it; RFC 7591 section 2
names the members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from latchpin.contracts import RegistrationRequest
from latchpin.model import ServerMetadata
from latchpin.sdk.urls import is_loopback_host, split_url

__all__ = ["PATH", "PublishedClient", "check_client_id", "find_obstacle", "unfit"]

PATH = "/oauth/client-metadata.json"
"""Where the gateway serves the document, below BASE_URL."""

SUPPORTED = "client_id_metadata_document_supported"
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class PublishedClient:
    """The one client that all gateways here are, wherever documents are understood.

    Attributes:
        client_id: the document's own URL, character by character.
        redirect_uris: where authorization servers may send browsers.
        auth_method: ``none`` or ``private_key_jwt``.
        client_uri: a page about the client.
    """

    client_id: str
    client_name: str
    client_uri: str
    redirect_uris: tuple[str, ...]
    auth_method: str

    def describe(self, public_keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The document. Never a secret: authorization servers fetch it, and so may everybody.

        Args:
            public_keys: JWKs without private members; empty for a client that proves itself with nothing.
        """
        document: dict[str, Any] = {
            "client_id": self.client_id,
            "client_name": self.client_name,
            "client_uri": self.client_uri,
            "redirect_uris": list(self.redirect_uris),
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "web",
            "token_endpoint_auth_method": self.auth_method,
        }
        if public_keys:
            document["jwks"] = {"keys": [dict(key) for key in public_keys]}
            document["token_endpoint_auth_signing_alg"] = public_keys[0]["alg"]
        return document


def check_client_id(url: str) -> str | None:
    """Say what keeps ``url`` from being a client identifier (section 3 of the draft), None if nothing does."""
    parts = split_url(url)
    if parts is None or parts.scheme != "https" or len(url) > _LONGEST:
        return "must be an absolute https URL without user name and blank, of a host that can exist"
    if "#" in url or "?" in url:
        return "must have no query and no fragment"
    if parts.path in {"", "/"}:
        return "must have a path, such as /oauth/client-metadata.json"
    if any(unquote(segment) in {".", ".."} for segment in parts.path.split("/")):
        return "must have no . or .. in its path"
    return None


def find_obstacle(url: str) -> str | None:
    """Say why an authorization server could not fetch ``url``, None if it may be able to."""
    host = urlsplit(url).hostname or ""
    if is_loopback_host(host) or host.endswith(".localhost"):
        return f"{host} is loopback, which no authorization server can reach"
    try:
        if not ip_address(host).is_global:
            return f"{host} is not a public address"
    except ValueError:
        pass  # a name
    fault = check_client_id(url)
    return f"{url} {fault}" if fault is not None else None


def unfit(request: RegistrationRequest, client: PublishedClient) -> str | None:
    """Say why the published client does not serve ``request``, None if it does."""
    if request.configured is not None:
        return "a client is entered on the gateway"
    return _unfit_server(request.server, client) or _unfit_gateway(request, client)


def _unfit_server(server: ServerMetadata, client: PublishedClient) -> str | None:
    if server.extra.get(SUPPORTED) is not True:
        return f"{server.issuer} does not say {SUPPORTED}"
    # Where the list is missing, client_secret_basic is meant (RFC 8414 section 2), which no document may use: then
    # the list says nothing about clients with documents.
    methods = server.token_endpoint_auth_methods_supported
    if methods and client.auth_method not in methods:
        return f"{server.issuer} does not take the client authentication {client.auth_method}"
    return None


def _unfit_gateway(request: RegistrationRequest, client: PublishedClient) -> str | None:
    config = request.gateway.oauth
    if config is not None and config.grant_type != "authorization_code":
        return f"the document has no grant {config.grant_type}"
    if request.redirect_uri not in client.redirect_uris:
        return "the gateway has a redirect URI of its own, which the document does not list"
    if request.auth_method not in (None, client.auth_method):
        return f"the gateway is to use {request.auth_method}, and the document says {client.auth_method}"
    return None
