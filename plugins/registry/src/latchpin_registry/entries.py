"""MCP endpoints in the words of the registry's API (v0.1) and of ``server.json`` (2025-12-11). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from latchpin.contracts import ProtectedResource

__all__ = ["LATEST", "VERSION", "Entry", "entries_of", "namespace_of"]

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
VERSION: Final = "1.0.0"
"""Of every entry. It stays: a policy that once allowed this version of an endpoint goes on to."""
LATEST: Final = "latest"

_LONGEST_NAME = 200
_LONGEST_TEXT = 100
"""Characters of a title, and of a description."""
_OTHERS = re.compile(r"[^a-zA-Z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint.

    Attributes:
        name: as the registry has it: a domain turned round, a slash, and the endpoint's path with dots for slashes.
        title: what people read.
        updated_at: when its gateway was last changed; None for one of several, of which nobody can say.
    """

    name: str
    title: str
    description: str
    url: str
    published_at: datetime | None = None
    updated_at: datetime | None = None

    def holds(self, wanted: str) -> bool:
        """Whether a part of its name or title is ``wanted``, in whatever case."""
        return any(wanted.casefold() in text.casefold() for text in (self.name, self.title))

    def is_since(self, moment: datetime) -> bool:
        """Whether it may have changed since then."""
        return self.updated_at is None or self.updated_at >= moment

    def describe(self) -> dict[str, Any]:
        """A ``ServerResponse``: the server, and what the registry says of it."""
        times = {"publishedAt": self.published_at, "updatedAt": self.updated_at}
        official: Mapping[str, Any] = {
            "status": "active",
            "isLatest": True,
            **{name: moment.isoformat() for name, moment in times.items() if moment is not None},
        }
        server = {
            "$schema": SCHEMA,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "version": VERSION,
            "remotes": [{"type": "streamable-http", "url": self.url}],
        }
        return {"server": server, "_meta": {OFFICIAL: official}}


def entries_of(resources: Iterable[ProtectedResource], base_url: str) -> list[Entry]:
    """The endpoints, by name; of several with one name the first."""
    found: dict[str, Entry] = {}
    for resource in resources:
        entry = _entry(resource, base_url)
        found.setdefault(entry.name, entry)
    return sorted(found.values(), key=lambda entry: entry.name)


def namespace_of(base_url: str) -> str:
    """BASE_URL's host, turned round as namespaces of registries are: ``com.example.gateway``; an address stays."""
    host = urlsplit(base_url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return ".".join(reversed(host.split(".")))
    return host.replace(":", "-")


def _entry(resource: ProtectedResource, base_url: str) -> Entry:
    path = resource.url.removeprefix(base_url).strip("/")
    name = f"{namespace_of(base_url)}/{_OTHERS.sub('.', path)}"[:_LONGEST_NAME]
    title = resource.name[:_LONGEST_TEXT]
    gateway = resource.gateway
    if gateway is None:
        return Entry(name, title, _cut("Several MCP servers behind one URL: ", resource.name), resource.url)
    description = _cut("An MCP server by way of Latchpin: ", gateway.name)
    return Entry(name, title, description, resource.url, gateway.created_at, gateway.updated_at)


def _cut(lead: str, name: str) -> str:
    return (lead + name)[:_LONGEST_TEXT]
