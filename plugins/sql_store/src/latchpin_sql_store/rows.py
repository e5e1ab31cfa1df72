"""Lists and objects as the JSON text that a column holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["pack", "pack_object", "unpack", "unpack_object"]


def pack(words: Sequence[str]) -> str:
    """Write a list of words. ASCII only: a NUL or half a surrogate pair would not get past every driver."""
    return json.dumps(list(words), separators=(",", ":"))


def unpack(text: str) -> tuple[str, ...]:
    """Read what ``pack`` wrote."""
    return tuple(json.loads(text))


def pack_object(value: Mapping[str, Any]) -> str:
    """Write an object, its keys in order, so that equal objects are equal text."""
    return json.dumps(dict(value), separators=(",", ":"), sort_keys=True)


def unpack_object(text: str) -> dict[str, Any]:
    """Read what ``pack_object`` wrote."""
    value: dict[str, Any] = json.loads(text)
    return value
