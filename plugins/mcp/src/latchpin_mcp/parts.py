"""Where the parts of a JSON text lie, so that one can be changed and every other byte stays as it came. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Part", "TwiceError", "read_elements", "read_members", "read_object", "read_value", "replace_parts"]

_BLANK = re.compile(r"[ \t\n\r]*")
_BLANKS = (" ", "\t", "\n", "\r")


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


class TwiceError(ValueError):
    """A member comes twice."""


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


def read_object(text: str) -> tuple[Part, dict[str, Part]] | None:
    """The one object that ``text`` is, whose own value is not made, and its members; None where it is none.

    Raises:
        ValueError, RecursionError: it is no JSON, something follows, or a member comes twice.
    """
    start = _after_blanks(text, 0)
    if text[start : start + 1] != "{":
        read_value(text)
        return None
    members, end = _members(text, start)
    if _after_blanks(text, end) != len(text):
        raise ValueError("something follows the object")
    return Part(None, start, end), members


def read_members(text: str, part: Part) -> dict[str, Part]:
    """The members of an object in ``text``.

    Raises:
        ValueError: one comes twice: software differs in which one counts (RFC 8259 section 4).
    """
    return _members(text, part.start)[0]


def _members(text: str, start: int) -> tuple[dict[str, Part], int]:
    members: dict[str, Part] = {}
    at = _after_blanks(text, start + 1)
    closed = text[at : at + 1] == "}"
    while not closed:
        name, at = _name(text, at)
        value = _value(text, at)
        if name in members:
            raise TwiceError("a member comes twice")
        members[name] = value
        at, closed = _next(text, value.end, "}")
    return members, at + 1


def read_elements(text: str, part: Part) -> list[Part]:
    """The elements of an array in ``text``."""
    elements = []
    at = _after_blanks(text, part.start + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        element = _value(text, at)
        elements.append(element)
        at, closed = _next(text, element.end, "]")
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


def _name(text: str, at: int) -> tuple[str, int]:
    """A member's name, and where its value begins."""
    if text[at : at + 1] != '"':
        raise ValueError("a member has no name")
    name, at = _decode(text, at)
    at = _after_blanks(text, at)
    if text[at : at + 1] != ":":
        raise ValueError("a member has no value")
    return name, at + 1


def _next(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Where the next member or element begins; or where the end stands, and that it does."""
    at = _after_blanks(text, at)
    mark = text[at : at + 1]
    if mark == ",":
        return _after_blanks(text, at + 1), False
    if mark != closing:
        raise ValueError("it does not end")
    return at, True


def _after_blanks(text: str, at: int) -> int:
    if text[at : at + 1] not in _BLANKS:  # most programs write none, and a pattern costs more than that
        return at
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
