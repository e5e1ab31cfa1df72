"""Patterns of tools' names. Pure."""

from __future__ import annotations

import unicodedata

__all__ = ["fold", "matches"]


def matches(pattern: str, name: str) -> bool:
    """Whether ``name`` is as ``pattern`` says, where ``*`` stands for any characters; in linear time."""
    if "*" not in pattern:
        return name == pattern
    first, *others = pattern.split("*")
    *middle, last = others
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def fold(name: str) -> str:
    """What a careless server may take a name for: upper case as lower, compatible letters as one, nothing invisible."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in plain if char.isprintable() and not char.isspace())
