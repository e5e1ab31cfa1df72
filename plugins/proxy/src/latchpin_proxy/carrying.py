"""Trace context in ``params._meta`` (SEP-414), put into a message whose other bytes all stay as they came. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["carry"]

_BLANK = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode

Members = dict[str, tuple[int, int, int]]
"""By its name: where a member's name begins, and where its value begins and ends."""


def carry(body: bytes, carried: Mapping[str, str]) -> bytes:
    """The message with these members in ``params._meta``; one that is ``""`` is taken away.

    What is no request or notification, or cannot be read, stays as it is.
    """
    try:
        text = body.decode()
        start = _skip(text, 0)
        members, _ = _members(text, start)
        if "method" not in members:
            return body
        return _put(text, start, members, dict(carried)).encode()
    except (ValueError, RecursionError):
        return body


def _put(text: str, start: int, members: Members, carried: dict[str, str]) -> str:
    if "params" not in members:
        return _insert(text, start, members, f'"params":{{"_meta":{_dump(carried)}}}')
    start = members["params"][1]
    params, _ = _members(text, start)
    if "_meta" not in params:
        return _insert(text, start, params, f'"_meta":{_dump(carried)}')
    _, start, end = params["_meta"]
    meta, _ = _members(text, start)
    kept = [text[name:stop] for key, (name, _, stop) in meta.items() if key not in carried]
    put = _dump(carried)[1:-1]
    return text[:start] + "{" + ",".join([*kept, *([put] if put else [])]) + "}" + text[end:]


def _insert(text: str, start: int, members: Members, put: str) -> str:
    """The text with one more member in front of those of the object at ``start``."""
    return text[: start + 1] + put + ("," if members else "") + text[start + 1 :]


def _dump(carried: Mapping[str, str]) -> str:
    return json.dumps({name: value for name, value in carried.items() if value}, separators=(",", ":"))


def _members(text: str, start: int) -> tuple[Members, int]:
    """The members of the object at ``start``, and where it ends. Raises ValueError: it is none, or one comes twice."""
    if text[start : start + 1] != "{":
        raise ValueError("no object")
    members: Members = {}
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        name, after = _decode(text, at)
        colon = _skip(text, after)
        value = _skip(text, colon + 1)
        _, end = _decode(text, value)
        if not isinstance(name, str) or text[colon : colon + 1] != ":" or name in members:
            raise ValueError("not as everybody reads it")
        members[name] = (at, value, end)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    return members, at + 1


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
