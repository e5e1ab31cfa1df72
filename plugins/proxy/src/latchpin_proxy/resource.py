"""The endpoint as a protected resource (RFC 9728): its metadata, its challenges, and whose pages may call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from latchpin.sdk.settings import CoreSettings
from latchpin.sdk.urls import origin_of

from latchpin_proxy.bindings import Binder, NotBound
from latchpin_proxy.errors import ForeignPage, OthersLink

__all__ = [
    "LINK",
    "PATH",
    "WELL_KNOWN",
    "build_challenge",
    "build_metadata",
    "check_link",
    "check_origin",
    "link_for",
    "metadata_url",
    "parse_resource_path",
    "resource_url",
]

FOR = "authorize"
"""What a link is for; whom it is for is what it is bound to."""
PATH = "/gateways/{gateway_id}/mcp"
LINK = "/oauth/authorize/{gateway_id}/for/{person}"
WELL_KNOWN = "/.well-known/oauth-protected-resource"


def resource_url(base_url: str, gateway_id: str) -> str:
    """The endpoint's own URL."""
    return f"{base_url}/gateways/{gateway_id}/mcp"


def metadata_url(base_url: str, gateway_id: str) -> str:
    """Where the metadata is: the well-known part goes between host and path (RFC 9728 section 3.1)."""
    path = urlsplit(base_url).path
    return f"{origin_of(base_url)}{WELL_KNOWN}{path}/gateways/{gateway_id}/mcp"


def parse_resource_path(path: str, base_path: str) -> str | None:
    """The gateway id in what follows the well-known part of a metadata URL; None if it names no endpoint of ours.

    BASE_URL's path prefix may be there (as the RFC has it) or not (a proxy in front serves only the prefix).
    """
    segments = ("/" + path.lstrip("/")).removeprefix(base_path).strip("/").split("/")
    match segments:
        case ["gateways", gateway_id, "mcp"]:
            return gateway_id
        case _:
            return None


def build_metadata(settings: CoreSettings, gateway_id: str, issuers: Sequence[str]) -> dict[str, Any]:
    """The metadata document (RFC 9728 section 2). It tells nothing that depends on the gateway's existence.

    Args:
        settings: the gateway's.
        gateway_id: whose endpoint it is.
        issuers: the authorization servers that clients get tokens from, the preferred one first.
    """
    document: dict[str, Any] = {
        "resource": resource_url(settings.base_url, gateway_id),
        "bearer_methods_supported": ["header"],
        "resource_name": "Latchpin",
    }
    if issuers:
        document["authorization_servers"] = list(issuers)
    return document


def build_challenge(base_url: str, gateway_id: str, **parameters: str) -> str:
    """A ``WWW-Authenticate`` value (RFC 9728 section 5.1, RFC 6750 section 3)."""
    fields = {"resource_metadata": metadata_url(base_url, gateway_id), **parameters}
    return "Bearer " + ", ".join(f'{name}="{_quotable(value)}"' for name, value in fields.items())


def link_for(base_url: str, gateway_id: str, binder: Binder) -> str:
    """The link by which one person authorizes the gateway: it holds no secret, and leads nobody else anywhere."""
    return f"{base_url}/oauth/authorize/{gateway_id}/for/{binder.bind('person', FOR)}"


def check_link(text: str, binder: Binder) -> None:
    """Go on only if the end of a link was made for the person of ``binder``.

    Raises:
        OthersLink: it was made for somebody else.
    """
    try:
        if binder.release("person", text) == FOR:
            return
    except NotBound:
        pass
    raise OthersLink


def check_origin(origins: list[bytes], fetch_site: bytes, own: bytes) -> None:
    """Refuse what another site's page sends, by whatever host name it got here (MCP: DNS rebinding).

    Args:
        origins: every Origin header.
        fetch_site: the Sec-Fetch-Site header, empty if there is none.
        own: BASE_URL's origin.

    Raises:
        ForeignPage: it comes from elsewhere.
    """
    if any(origin.lower() != own for origin in origins) or fetch_site in {b"cross-site", b"same-site"}:
        raise ForeignPage


def _quotable(value: str) -> str:
    kept = "".join(character if " " <= character <= "~" else " " for character in value)
    return kept.replace("\\", "\\\\").replace('"', '\\"')
