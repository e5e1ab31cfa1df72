"""Finds the authorization server behind the URL that a person gives (RFC 9728, RFC 8414).

Everything that is found has to be of the URL's own origin: a Latchpin's endpoints are all below its BASE_URL, and
tokens of a person go nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from latchpin.errors import SignInFailed
from latchpin.sdk.urls import check_url, is_loopback_host, origin_of

from latchpin_authorization_server.login.answers import ask, read_object

__all__ = ["Place", "check_place_url", "discover"]

ENDPOINT_OF_ALL = "/mcp"
"""Below BASE_URL: the endpoint for all servers, where there is one."""

_HOW = "Give the URL of an MCP endpoint: each gateway's page shows its own, as in {origin}/gateways/<id>/mcp."


@dataclass(frozen=True, slots=True)
class Place:
    """An MCP endpoint and the authorization server that gives tokens for it.

    Attributes:
        url: the endpoint, as its metadata has it: what is sent as ``resource``.
        issuer: the authorization server.
        registration, device_authorization: ``""`` where the server has none.
    """

    url: str
    issuer: str
    authorization: str
    token: str
    revocation: str
    registration: str = ""
    device_authorization: str = ""


def check_place_url(text: str) -> str:
    """Read the URL that a person gave, without a slash at its end.

    Raises:
        SignInFailed: it is none, or tokens would go over the network unprotected.
    """
    url = text.strip().rstrip("/")
    try:
        check_url(url)
    except ValueError as exc:
        raise SignInFailed(f"'{text}' is no URL of a Latchpin: it {exc}") from None
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback_host(parts.hostname or ""):
        raise SignInFailed(f"{url} is not https: others on the way could read the token", remedy="Use https.")
    return url


def discover(http: httpx.Client, url: str) -> Place:
    """Find out who gives tokens for ``url``, or for the endpoint of all servers below it.

    Raises:
        SignInFailed: there is no such endpoint, or it names nobody of its own origin.
    """
    resource, document = _find_resource(http, url)
    named = document.get("authorization_servers")
    issuers = [each for each in named if _is_of(each, url)] if isinstance(named, list) else []
    if not issuers:
        raise SignInFailed(
            f"{resource} gives out no tokens itself",
            remedy="Ask its administrator: AUTHORIZATION_SERVER_ENABLED switches that on.",
        )
    return _read_place(resource, issuers[0], _get(http, _well_known("oauth-authorization-server", issuers[0])) or {})


def _find_resource(http: httpx.Client, url: str) -> tuple[str, Mapping[str, Any]]:
    for candidate in (url, url + ENDPOINT_OF_ALL):
        document = _get(http, _well_known("oauth-protected-resource", candidate))
        if document is not None and document.get("resource") == candidate:
            return candidate, document
    raise SignInFailed(f"{url} is no MCP endpoint of a Latchpin", remedy=_HOW.format(origin=origin_of(url)))


def _read_place(resource: str, issuer: str, document: Mapping[str, Any]) -> Place:
    if document.get("issuer") != issuer:
        raise SignInFailed(f"{issuer} publishes no metadata of its own as an authorization server")
    if "S256" not in (document.get("code_challenge_methods_supported") or ()):
        raise SignInFailed(f"{issuer} does not support PKCE with S256")
    names = ("authorization", "token", "revocation", "registration", "device_authorization")
    found = {name: str(value) for name in names if _is_of(value := document.get(f"{name}_endpoint"), issuer)}
    if missing := {"authorization", "token", "revocation"} - set(found):
        raise SignInFailed(f"{issuer} names no {min(missing)}_endpoint of its own")
    return Place(resource, issuer, **found)


def _get(http: httpx.Client, url: str) -> Mapping[str, Any] | None:
    response = ask(http, "GET", url)
    return read_object(response) if response.status_code == HTTPStatus.OK else None


def _well_known(name: str, url: str) -> str:
    """The well-known part goes between host and path (RFC 8414 section 3, RFC 9728 section 3.1)."""
    return f"{origin_of(url)}/.well-known/{name}{urlsplit(url).path.rstrip('/')}"


def _is_of(value: object, url: str) -> bool:
    """Whether it is a URL of the same origin."""
    if not isinstance(value, str):
        return False
    try:
        check_url(value)
    except ValueError:
        return False
    return origin_of(value) == origin_of(url)
