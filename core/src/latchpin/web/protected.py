"""An MCP endpoint as a protected resource (RFC 9728): who may call it, its challenges and its metadata.

Every endpoint that a plugin serves is described and guarded alike; each is known by its path below BASE_URL.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from latchpin.errors import Forbidden
from latchpin.identity.proven import ProvenCallers
from latchpin.model import Caller
from latchpin.model.urls import origin_of
from latchpin.settings.core import CoreSettings
from latchpin.web.hosts import read_header
from latchpin.web.identity import ask_identities, require_caller

__all__ = [
    "WELL_KNOWN",
    "ForeignPage",
    "build_challenge",
    "build_resource_metadata",
    "check_origin",
    "require_program",
    "resource_metadata_url",
]

WELL_KNOWN = "/.well-known/oauth-protected-resource"

Scope = MutableMapping[str, Any]


class ForeignPage(Forbidden):
    """A page of another origin called (MCP, transports: DNS rebinding)."""

    code = "foreign-page"
    public = "Pages of other sites may not call this endpoint."
    remedy = "Call it from a program; if your page is the gateway's own, check that BASE_URL is its address."


async def require_program(scope: Scope, settings: CoreSettings, path: str) -> Caller:
    """Who calls an MCP endpoint, by bearer token or trusted proxy. Cookies do not count: foreign pages make them come.

    Args:
        scope: the request's.
        settings: the gateway's.
        path: the endpoint's, below BASE_URL; tokens for exactly that URL count too.

    Raises:
        ForeignPage: another site's page called.
        NotSignedIn: nobody says who calls, or what says so does not hold.
        BackendUnavailable, UpstreamError: what would decide it cannot be asked.
    """
    headers = scope["headers"]
    names = dict(headers)
    if b"origin" in names or b"sec-fetch-site" in names:
        origins = [value for name, value in headers if name == b"origin"]
        check_origin(origins, read_header(scope, b"sec-fetch-site"), origin_of(settings.base_url).encode())
    bare = [(name, value) for name, value in headers if name != b"cookie"] if b"cookie" in names else headers
    resource = settings.base_url + path

    def request() -> Request:
        return Request({**scope, "headers": bare})

    proven: ProvenCallers = scope["app"].state.application.proven_callers
    caller = proven.recall(bare, resource, lambda: ask_identities(request(), resource=resource))
    if caller is not None:  # as nearly always: a request is copied for the others only
        return caller
    return await require_caller(request(), resource=resource)


def check_origin(origins: Sequence[bytes], fetch_site: bytes, own: bytes) -> None:
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


def resource_metadata_url(base_url: str, path: str) -> str:
    """Where an endpoint's metadata is: the well-known part goes between host and path (RFC 9728 section 3.1)."""
    return f"{origin_of(base_url)}{WELL_KNOWN}{urlsplit(base_url).path}{path}"


def build_resource_metadata(settings: CoreSettings, path: str, issuers: Sequence[str]) -> dict[str, Any]:
    """The metadata document (RFC 9728 section 2). It tells nothing that depends on what stands behind the endpoint.

    Args:
        settings: the gateway's.
        path: the endpoint's, below BASE_URL.
        issuers: the authorization servers that clients get tokens from, the preferred one first.
    """
    document: dict[str, Any] = {
        "resource": settings.base_url + path,
        "bearer_methods_supported": ["header"],
        "resource_name": "Latchpin",
    }
    if issuers:
        document["authorization_servers"] = list(issuers)
    return document


def build_challenge(base_url: str, path: str, **parameters: str) -> str:
    """A ``WWW-Authenticate`` value (RFC 9728 section 5.1, RFC 6750 section 3) for the endpoint at ``path``."""
    fields = {"resource_metadata": resource_metadata_url(base_url, path), **parameters}
    return "Bearer " + ", ".join(f'{name}="{_quotable(value)}"' for name, value in fields.items())


def _quotable(value: str) -> str:
    kept = "".join(character if " " <= character <= "~" else " " for character in value)
    return kept.replace("\\", "\\\\").replace('"', '\\"')
