"""Names of one server's tools, prompts and resources, as the one endpoint gives them, and back.

The suite calls things by fixed names. At the one endpoint they begin with the server's slug. So the small server of the
tests that adds a token renames them too, and nothing else: in a request what it is about, in a list each entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from mcp.shared.inbound import decode_header_value, encode_header_value

__all__ = ["Renaming"]

_HEADER = "mcp-name"
_LISTS = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


class Renaming:
    """For a server with this slug."""

    def __init__(self, slug: str) -> None:
        self._slug = slug

    def header(self, name: str, value: str) -> str:
        """A header field of a request."""
        if name != _HEADER:
            return value
        decoded = decode_header_value(value)
        return value if decoded is None else encode_header_value(self._exposed(decoded))

    def request(self, body: bytes) -> bytes:
        """A request's body; as it is where it names nothing, or is no request."""
        try:
            message = json.loads(body)
        except ValueError:
            return body
        params = message.get("params") if isinstance(message, dict) else None
        if not isinstance(params, dict):
            return body
        changed = [_rename(place, key, self._exposed) for place, key in _named(message.get("method"), params)]
        return json.dumps(message).encode() if any(changed) else body

    def answer(self, body: bytes) -> bytes:
        """An answer's body; as it is where it lists nothing."""
        try:
            message = json.loads(body)
        except ValueError:
            return body
        result = message.get("result") if isinstance(message, dict) else None
        if not isinstance(result, dict):
            return body
        changed = [_rename(place, key, self._own) for place, key in _listed(result)]
        return json.dumps(message).encode() if any(changed) else body

    def _exposed(self, name: str) -> str:
        return f"{self._slug}+{name}" if "://" in name else f"{self._slug}__{name}"

    def _own(self, name: str) -> str:
        return name.removeprefix(f"{self._slug}+").removeprefix(f"{self._slug}__")


def _named(method: object, params: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a request says what it is about."""
    if method in {"tools/call", "prompts/get"}:
        yield params, "name"
    if isinstance(method, str) and method.startswith("resources/"):
        yield params, "uri"
    if method == "completion/complete" and isinstance(params.get("ref"), dict):
        yield params["ref"], "name"
        yield params["ref"], "uri"


def _listed(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for kind, key in _LISTS.items():
        entries = result.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            yield entry, key


def _rename(place: dict[str, Any], key: str, rename: Callable[[str], str]) -> bool:
    value = place.get(key)
    if not isinstance(value, str):
        return False
    place[key] = rename(value)
    return True
