"""A Client ID Metadata Document: what its URL must be, and what it must say. Pure.

A client that nobody registered here is called by the https URL of a document about it, which whoever controls that URL
wrote (draft-ietf-oauth-client-id-metadata-document).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from latchpin.model import Reply
from latchpin.sdk.urls import is_loopback_host, split_url

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.metadata import parse_client_metadata
from latchpin_authorization_server.errors import OAuthError

__all__ = [
    "LARGEST",
    "LONGEST",
    "SHORTEST",
    "host_of_document",
    "is_document_url",
    "parse_document",
    "read_lifetime",
]

LARGEST = 5_000
"""Bytes that a document may have."""
LONGEST = timedelta(days=1)
SHORTEST = timedelta(seconds=10)
USUAL = timedelta(hours=1)
"""How long a document is used that does not say for how long it holds."""

_HTTP_OK = 200
_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.IGNORECASE)
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,10})\"?", re.IGNORECASE)
_NEVER = frozenset({"no-store", "no-cache"})
_SECRETS = ("client_secret", "client_secret_expires_at")
_DOTS = frozenset({".", ".."})


def is_document_url(client_id: str, *, private: bool) -> bool:
    """Whether a ``client_id`` is the URL of a document: https, with a path that is written in one way only.

    Args:
        client_id: as it came.
        private: OAUTH_ALLOW_PRIVATE_NETWORKS: http on this machine will do too, for tests and demonstrations.
    """
    parts = split_url(client_id)
    if parts is None or "#" in client_id:
        return False
    if parts.scheme != "https" and not (private and is_loopback_host(parts.hostname or "")):
        return False
    segments = re.sub("%2e", ".", parts.path, flags=re.IGNORECASE).split("/")
    return parts.path not in {"", "/"} and not _DOTS.intersection(segments)


def parse_document(reply: Reply, client_id: str, *, schemes: Iterable[str] = ()) -> Client:
    """Read what came from a document's URL.

    Nothing of it but names and URLs of redirects is used. A logo is not shown, whoever's it is: no page loads anything
    from another origin.

    Args:
        reply: the answer.
        client_id: the URL that was asked.
        schemes: further private-use schemes of redirect URIs.

    Raises:
        ValueError: it does not hold; the text says what a document must be, and repeats nothing of it.
    """
    if reply.status != _HTTP_OK:
        raise ValueError(f"it answers with status {reply.status} instead of a document")
    if not _JSON.fullmatch(reply.headers.get("content-type", "").partition(";")[0].strip()):
        raise ValueError("its content type is not application/json")
    if len(reply.body) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    said = _read_object(reply.body)
    if said.get("client_id") != client_id:
        raise ValueError("its client_id is not the URL that it is at")
    if any(name in said for name in _SECRETS):
        raise ValueError("it holds a secret, which everybody can read")
    try:
        return parse_client_metadata(said, client_id=client_id, source="document", schemes=schemes)
    except OAuthError as exc:
        raise ValueError(exc.description) from None


def read_lifetime(reply: Reply) -> timedelta:
    """How long a document may be used before it is fetched anew, from its Cache-Control (RFC 9111 section 5.2.2)."""
    directives = {each.strip().lower() for each in reply.headers.get("cache-control", "").split(",")}
    if directives & _NEVER:
        return SHORTEST
    ages = [int(found[1]) for each in directives if (found := _MAX_AGE.fullmatch(each))]
    said = timedelta(seconds=min(ages, default=int(USUAL.total_seconds())))
    return max(SHORTEST, min(said, LONGEST))


def host_of_document(client_id: str) -> str:
    """The host that vouches for what a document says, with its port if it has one."""
    return urlsplit(client_id).netloc.lower()


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        return said
    raise ValueError("it is no JSON object")
