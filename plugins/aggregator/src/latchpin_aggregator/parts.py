"""Where the parts of a JSON text lie, so that one can be changed and every other byte stays as it came. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Part", "read_elements", "read_members", "read_value", "replace_parts"]

_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One value in a text.

    Attributes:
        value: what it says.
        start, end: where it stands.
    """

    value: Any
    start: int
    end: int


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def read_value(text: str) -> Part:
    """The one value that ``text`` is.

    Raises:
        ValueError, RecursionError: it is no JSON, or something follows.
    """
    part = _value(text, 0)
    if _after_blanks(text, part.end) != len(text):
        raise ValueError("something follows the value")
    return part


def read_members(text: str, part: Part) -> dict[str, Part]:
    """The members of an object in ``text``.

    Raises:
        ValueError: one comes twice: software differs in which one counts (RFC 8259 section 4).
    """
    members: dict[str, Part] = {}
    at = _after_blanks(text, part.start + 1)
    while text[at] != "}":
        name, at = _decode(text, at)
        value = _value(text, _after_blanks(text, at) + 1)
        if name in members:
            raise ValueError("a member comes twice")
        members[name] = value
        at = _next(text, value.end)
    return members


def read_elements(text: str, part: Part) -> list[Part]:
    """The elements of an array in ``text``."""
    elements = []
    at = _after_blanks(text, part.start + 1)
    while text[at] != "]":
        element = _value(text, at)
        elements.append(element)
        at = _next(text, element.end)
    return elements


def replace_parts(text: str, part: Part, changes: Sequence[tuple[Part, str]]) -> str:
    """``part`` of ``text`` with other text in the place of parts of it."""
    pieces, at = [], part.start
    for each, instead in sorted(changes, key=lambda change: change[0].start):
        pieces += [text[at : each.start], instead]
        at = each.end
    return "".join([*pieces, text[at : part.end]])


def _value(text: str, at: int) -> Part:
    start = _after_blanks(text, at)
    value, end = _decode(text, start)
    return Part(value, start, end)


def _next(text: str, at: int) -> int:
    """Where the next member or element begins, or the end stands."""
    at = _after_blanks(text, at)
    return _after_blanks(text, at + 1) if text[at] == "," else at


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
