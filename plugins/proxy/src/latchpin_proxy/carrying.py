"""Trace context in ``params._meta`` (SEP-414), put into a message of which every other byte stays as it came. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from latchpin_mcp.parts import Part, read_members, read_object, replace_parts

__all__ = ["carry"]


def carry(body: bytes, carried: Mapping[str, str]) -> bytes:
    """The message with these members in ``params._meta``; one that is ``""`` is taken away.

    What is no request or notification, or may be read in two ways, stays as it is.
    """
    try:
        text = body.decode()
        found = read_object(text)
        if found is None or "method" not in found[1]:
            return body
        whole, members = found
        return replace_parts(text, whole, [_change(text, whole, members, carried)]).encode()
    except (TypeError, ValueError, RecursionError):
        return body


def _change(text: str, whole: Part, members: Mapping[str, Part], carried: Mapping[str, str]) -> tuple[Part, str]:
    put = json.dumps({name: value for name, value in carried.items() if value}, separators=(",", ":"))
    if "params" not in members:
        return _first(whole, f'"params":{{"_meta":{put}}}', members)
    params = _members(text, members["params"])
    if "_meta" not in params:
        return _first(members["params"], f'"_meta":{put}', params)
    meta = _members(text, params["_meta"])
    kept = {name: text[part.start : part.end] for name, part in meta.items() if name not in carried}
    written = [f"{json.dumps(name)}:{value}" for name, value in kept.items()]
    return params["_meta"], "{" + ",".join([*written, *filter(None, [put[1:-1]])]) + "}"


def _members(text: str, part: Part) -> Mapping[str, Part]:
    if not isinstance(part.value, dict):
        raise TypeError("it is no object")
    return read_members(text, part)


def _first(part: Part, member: str, others: Mapping[str, Part]) -> tuple[Part, str]:
    """One more member, in front of the others of an object."""
    return Part(None, part.start + 1, part.start + 1), member + ("," if others else "")
