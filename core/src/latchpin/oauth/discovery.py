"""Discovery, the pure part: where metadata would be, and what a document must say to be believed.

RFC 8414 (authorization servers), OpenID Connect Discovery 1.0, RFC 9728 (protected resources), RFC 7636
(PKCE must be offered). Documents come from anybody; everything here is a value from outside until parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from latchpin.errors import DiscoveryFailed, PkceUnsupported, UpstreamUnreadable
from latchpin.model import OAuthConfig, Reply, ServerMetadata
from latchpin.model.urls import split_origin, split_url
from latchpin.oauth.documents import Members, NoDocument, parse_flag, parse_object, parse_url, shown
from latchpin.oauth.dpop import takes_bound_tokens

__all__ = [
    "ResourceMetadata",
    "apply_settings",
    "build_default_metadata",
    "build_metadata_from_settings",
    "build_resource_metadata_urls",
    "build_server_metadata_urls",
    "check_pkce",
    "parse_resource_metadata",
    "parse_server_metadata",
]

OAUTH_SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
FROM_SETTINGS = "settings"
FROM_DEFAULTS = "the default endpoints of MCP 2025-03-26"

_OK = 200
_SERVER_MEMBERS = {"issuer", "authorization_endpoint", "token_endpoint"}
_RESOURCE_MEMBERS = {"resource", "authorization_servers"}
_MOST_LISTED = 1_000  # only looked up in, as for offline_access; never asked for as they are


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """A protected resource's metadata (RFC 9728 section 2), checked against the server it speaks of."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...]
    source: str
    dpop: bool = False
    passed_over: tuple[str, ...] = ()


# -- where to look --------------------------------------------------------------------------------------


def build_server_metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where an issuer's metadata may be, in the order to ask.

    With a path: RFC 8414 section 3.1, then OpenID Connect with the path inserted, then appended. Without:
    the two at the root.

    Raises:
        DiscoveryFailed: ``issuer`` is not a URL an issuer can have (RFC 8414 section 2).
    """
    parts = split_url(issuer)
    if parts is None or parts.query or parts.fragment:
        raise DiscoveryFailed(f"the issuer {shown(issuer)} is not an absolute http(s) URL without query and fragment")
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    urls = (f"{origin}{OAUTH_SERVER}{path}", f"{origin}{OPENID}{path}")
    return (*urls, f"{origin}{path}{OPENID}") if path else urls


def build_resource_metadata_urls(server_url: str) -> tuple[str, ...]:
    """Where an MCP server's resource metadata may be: for its path, then the root (RFC 9728 section 3.1)."""
    parts = split_url(server_url)
    if parts is None:
        raise DiscoveryFailed(f"the server's URL {shown(server_url)} is not an absolute http(s) URL")
    root = f"{parts.scheme}://{parts.netloc}{PROTECTED_RESOURCE}"
    path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return (f"{root}{path}", root) if path else (root,)


# -- what was found -------------------------------------------------------------------------------------


def parse_server_metadata(reply: Reply, asked_issuer: str, *, allow_http: bool = False) -> ServerMetadata:
    """Believe an authorization server's metadata (RFC 8414 section 3.3), or say why not.

    Args:
        reply: what the metadata URL answered.
        asked_issuer: the issuer it was asked for; compared as it is, character by character.
        allow_http: http endpoints are acceptable (OAUTH_ALLOW_PRIVATE_NETWORKS).

    Raises:
        DiscoveryFailed: the document speaks for another issuer.
        NoDocument: there is a page and no document.
        UpstreamUnreadable: it is not metadata, or a value that decides has the wrong type. Others are passed over.
    """
    document = _parse_success(reply)
    if not _SERVER_MEMBERS & document.keys():
        raise NoDocument("the answer is JSON, but no server metadata")
    issuer = document.get("issuer")
    if issuer != asked_issuer:
        raise DiscoveryFailed(
            f"the metadata's issuer is {shown(issuer)}, and {shown(asked_issuer)} was asked for: not identical",
            remedy="Set oauth_config.issuer to exactly what the server calls itself, if that is the server you mean.",
        )
    token_endpoint = parse_url(document, "token_endpoint", allow_http=allow_http)
    if token_endpoint is None:
        raise UpstreamUnreadable("the metadata has no token_endpoint")
    members = Members(document, allow_http=allow_http)
    found = ServerMetadata(
        issuer=asked_issuer,
        authorization_endpoint=_authorization_endpoint(document, allow_http=allow_http),
        token_endpoint=token_endpoint,
        registration_endpoint=members.url("registration_endpoint"),
        revocation_endpoint=members.url("revocation_endpoint"),
        scopes_supported=members.scopes("scopes_supported", most=_MOST_LISTED),
        code_challenge_methods_supported=members.words("code_challenge_methods_supported"),
        token_endpoint_auth_methods_supported=members.words("token_endpoint_auth_methods_supported"),
        grant_types_supported=members.words("grant_types_supported"),
        iss_parameter_supported=parse_flag(document, "authorization_response_iss_parameter_supported"),
        source=reply.url,
        extra=document,
    )
    return replace(found, passed_over=members.passed_over)


def _authorization_endpoint(document: dict[str, Any], *, allow_http: bool) -> str | None:
    """Browsers go there, so it is right or the document is refused; an empty text says that there is none."""
    if document.get("authorization_endpoint") == "":
        return None
    return parse_url(document, "authorization_endpoint", allow_http=allow_http)


def parse_resource_metadata(reply: Reply, server_url: str, *, allow_http: bool = False) -> ResourceMetadata:
    """Believe a protected resource's metadata (RFC 9728 section 3.3), or say why not.

    Its ``resource`` must be the MCP server's URL. A shorter one, such as the origin, is accepted only from the
    well-known URL that belongs to that very resource: such a document may speak for everything below it.

    Raises:
        DiscoveryFailed: the document speaks for another resource.
        NoDocument: there is something else, and no document.
        UpstreamUnreadable: it is not metadata, or a value that decides has the wrong type. Others are passed over.
    """
    document = _parse_success(reply)
    if not _RESOURCE_MEMBERS & document.keys():
        raise NoDocument("the answer is JSON, but no resource metadata")
    resource = parse_url(document, "resource", allow_http=allow_http)
    if resource is None:
        raise UpstreamUnreadable("the resource metadata has no resource")
    if not _speaks_for(resource, server_url, reply.url):
        raise DiscoveryFailed(
            f"the metadata at {shown(reply.url)} speaks for {shown(resource)}, not for {shown(server_url)}",
            remedy="Set the gateway's url to what the server calls itself, or ask the server's operator.",
        )
    members = Members(document, allow_http=allow_http)
    servers = members.words("authorization_servers")
    if servers is None and document.get("authorization_servers") is not None:  # what is named badly is not unnamed
        raise UpstreamUnreadable(f"authorization_servers is {shown(document['authorization_servers'])}, and names none")
    scopes = members.scopes("scopes_supported") or ()
    return ResourceMetadata(
        resource=resource,
        authorization_servers=servers or (),
        scopes_supported=scopes,
        source=reply.url,
        dpop=takes_bound_tokens(document),
        passed_over=members.passed_over,
    )


def _speaks_for(resource: str, server_url: str, document_url: str) -> bool:
    ours, theirs = _identity(server_url), _identity(resource)
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return True
    *host, path, query = theirs
    below = host == list(ours[:3]) and not query and (path == "" or ours[3].startswith(f"{path}/"))
    return below and _identity(build_resource_metadata_urls(resource)[0]) == _identity(document_url)


def _identity(url: str) -> tuple[str, str, int | None, str, str] | None:
    """What makes two URLs the same server: case of the host, default ports and a last slash do not matter."""
    parts, origin = split_url(url), split_origin(url)
    if parts is None or origin is None:
        return None
    return *origin, parts.path.rstrip("/"), parts.query


# -- what the gateway's entry says ----------------------------------------------------------------------


def build_metadata_from_settings(config: OAuthConfig) -> ServerMetadata | None:
    """The metadata that an entry states by itself, or None if it does not say enough.

    Enough is a token URL, and for people an authorization URL. Nothing is known of PKCE then: it is used.
    """
    if config.token_url is None or (config.authorization_url is None and config.grant_type == "authorization_code"):
        return None
    return ServerMetadata(
        issuer=config.issuer,
        authorization_endpoint=config.authorization_url,
        token_endpoint=config.token_url,
        source=FROM_SETTINGS,
    )


def build_default_metadata(origin: str) -> ServerMetadata:
    """The endpoints that an MCP server of 2025-03-26 has if it publishes nothing (section 2.3.3 there).

    They are the MCP server's own, so nothing is sent anywhere else.
    """
    return ServerMetadata(
        issuer=origin,
        authorization_endpoint=f"{origin}/authorize",
        token_endpoint=f"{origin}/token",
        registration_endpoint=f"{origin}/register",
        source=FROM_DEFAULTS,
    )


def apply_settings(metadata: ServerMetadata, config: OAuthConfig) -> ServerMetadata:
    """Let the entry's own URLs win over discovered ones."""
    return replace(
        metadata,
        authorization_endpoint=config.authorization_url or metadata.authorization_endpoint,
        token_endpoint=config.token_url or metadata.token_endpoint,
    )


def check_pkce(metadata: ServerMetadata, method: str = "S256", *, assume: bool = False) -> None:
    """Insist that the server offers PKCE (RFC 9700 section 2.1.1, MCP authorization).

    Metadata from settings is let through: there is no document that could say it, and S256 is sent anyway.

    Raises:
        PkceUnsupported: its metadata does not list ``method``, and ``assume`` is false.
    """
    if assume or metadata.source == FROM_SETTINGS:
        return
    offered = metadata.code_challenge_methods_supported
    if offered is None:
        raise PkceUnsupported(f"the metadata of {shown(metadata.issuer)} has no code_challenge_methods_supported")
    if method not in offered:
        listed = ", ".join(shown(name) for name in offered[:5]) or "none"
        raise PkceUnsupported(f"{shown(metadata.issuer)} offers the code challenge methods {listed}, not {method}")


def _parse_success(reply: Reply) -> dict[str, Any]:
    if reply.status != _OK:
        raise UpstreamUnreadable(f"the answer is HTTP {reply.status}", http_status=reply.status)
    return parse_object(reply)
