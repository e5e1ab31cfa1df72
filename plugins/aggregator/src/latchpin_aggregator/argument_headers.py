"""Arguments that a tool's schema wants repeated in header fields (``x-mcp-header``, MCP 2026-07-28). Pure.

Programs of that version do it by themselves. For one with sessions it is done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from latchpin_mcp.header_values import encode_value

__all__ = ["ANNOTATION", "Position", "build_argument_headers", "find_positions"]

ANNOTATION = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_DEEPEST = 20
_MOST_CHARACTERS = 4_000
"""Of the places of one tool's arguments in all: a long name counts for each argument below it, and all are kept."""

Position = tuple[Sequence[str], str]
"""Where an argument stands, and what its header field is called after ``Mcp-Param-``."""


def find_positions(schema: object) -> list[Position]:
    """What a tool's ``inputSchema`` wants repeated; nothing where an annotation does not hold, or for too much."""
    found, characters = [], 0
    for path, token in _walk(schema, ()):
        characters += sum(len(name) + 1 for name in path)
        if characters > _MOST_CHARACTERS:
            return []
        found.append((path, token))
    tokens = [token.lower() for _, token in found if isinstance(token, str)]
    if len(set(tokens)) < len(found) or not all(_TOKEN.fullmatch(token) for token in tokens):
        return []
    return found


def _walk(schema: object, path: tuple[str, ...]) -> Iterator[Position]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(path) > _DEEPEST:
        return
    for name, inner in properties.items():
        if isinstance(inner, dict) and ANNOTATION in inner:
            yield (*path, name), inner[ANNOTATION]
        yield from _walk(inner, (*path, name))


def build_argument_headers(positions: Sequence[Position], arguments: object) -> list[tuple[bytes, bytes]]:
    """The header fields for a call with these arguments; what is not there, or has no such form, is left out."""
    fields = []
    for path, token in positions:
        value = _at(arguments, path)
        if isinstance(value, str | int | float):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            fields.append((f"mcp-param-{token}".lower().encode(), encode_value(text).encode()))
    return fields


def _at(arguments: object, path: Sequence[str]) -> Any:  # noqa: ANN401  any JSON
    for name in path:
        if not isinstance(arguments, Mapping):
            return None
        arguments = arguments.get(name)
    return arguments
