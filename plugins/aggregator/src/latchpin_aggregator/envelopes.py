"""One message in the words of the other era, everything else byte for byte as it came. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from latchpin import __version__
from latchpin.sdk.mcp import CAPABILITIES, CLIENT_INFO, ENVELOPE, LOG_LEVEL, MODERN, VERSION
from latchpin_mcp.message import Message
from latchpin_mcp.parts import Part, read_members, read_value, replace_parts

__all__ = [
    "answer_for_modern",
    "answer_for_sessions",
    "compose",
    "dump",
    "envelope",
    "own_implementation",
    "request_body",
]

_MODERN_ONLY = ("resultType", "ttlMs", "cacheScope")
_CACHED = frozenset({"resources/read"})
"""Methods that are passed on and whose results say, with 2026-07-28, how long they hold."""


def dump(value: Any) -> str:  # noqa: ANN401  any JSON
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def own_implementation() -> dict[str, str]:
    """What servers and programs are told of us (MCP, ``Implementation``)."""
    return {"name": "latchpin", "title": "Latchpin", "version": __version__}


def envelope(level: str | None = None, *, capabilities: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a request of 2026-07-28 says of us.

    Args:
        level: from which on log messages are wanted; None: none are.
        capabilities: what can be asked; None: no program stands behind it that could be asked anything.
    """
    said = {VERSION: MODERN, CAPABILITIES: dict(capabilities or {}), CLIENT_INFO: own_implementation()}
    return said if level is None else said | {LOG_LEVEL: level}


def compose(method: str, params: dict[str, Any] | None = None, *, id: str | None = None) -> bytes:  # noqa: A002
    """A message of our own; without ``id`` a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        message["id"] = id
    if params is not None:
        message["params"] = params
    return dump(message).encode()


def request_body(
    message: Message,
    changes: Sequence[tuple[Part, str]],
    *,
    id: str | None,  # noqa: A002  as JSON-RPC calls it
    modern: bool,
    level: str | None = None,
) -> bytes:
    """A caller's request as one server gets it.

    Args:
        message: as it came.
        changes: what the server calls things by other names.
        id: that the request has there; None: its own.
        modern: the server speaks 2026-07-28.
        level: from which on a program with sessions wants log messages.
    """
    changed = [*changes] if id is None else [*changes, (message.members["id"], dump(id))]
    if modern != (message.era == "modern"):
        changed += _translation(message, modern=modern, level=level)
    return replace_parts(message.text, message.whole, changed).encode()


def _translation(message: Message, *, modern: bool, level: str | None) -> list[tuple[Part, str]]:
    """What brings the envelope of 2026-07-28 into a request, or takes it out."""
    meta = {name: part.value for name, part in message.meta.items() if name not in ENVELOPE}
    text = dump(meta | envelope(level)) if modern else dump(meta)
    if "_meta" in message.params:
        return [(message.params["_meta"], text)]
    if not modern:
        return []
    if "params" in message.members:
        params = message.members["params"]
        rest = "," if message.params else ""
        return [(Part(None, params.start, params.start + 1), '{"_meta":' + text + rest)]
    end = message.whole.end - 1
    return [(Part(None, end, end), ',"params":{"_meta":' + text + "}")]


def answer_for_modern(text: str, *, method: str, id: str | int | None) -> tuple[str, int | None]:  # noqa: A002
    """A server's answer of 2025 as a program of 2026-07-28 gets it, and the code of the error that it is.

    Raises:
        ValueError: it cannot be read.
    """
    whole, members = _answer(text)
    changes = [(members["id"], dump(id))]
    if "result" not in members:
        return replace_parts(text, whole, changes), _code(members)
    result = members["result"]
    added = {"resultType": "complete"} | ({"ttlMs": 0, "cacheScope": "private"} if method in _CACHED else {})
    missing = {name: value for name, value in added.items() if name not in result.value}
    if missing:
        rest = "," if result.value else ""
        changes.append((Part(None, result.start, result.start + 1), dump(missing)[:-1] + rest))
    return replace_parts(text, whole, changes), None


def answer_for_sessions(text: str, *, id: str | int | None) -> str:  # noqa: A002
    """A server's answer of 2026-07-28 as a program of 2025 gets it.

    Raises:
        ValueError: it cannot be read.
    """
    whole, members = _answer(text)
    changes = [(members["id"], dump(id))]
    if "result" in members:
        result = members["result"]
        parts = read_members(text, result)
        kept = [
            f"{dump(name)}:{text[part.start : part.end]}" for name, part in parts.items() if name not in _MODERN_ONLY
        ]
        if len(kept) < len(parts):
            changes.append((result, "{" + ",".join(kept) + "}"))
    return replace_parts(text, whole, changes)


def _answer(text: str) -> tuple[Part, dict[str, Part]]:
    whole = read_value(text)
    members = read_members(text, whole) if isinstance(whole.value, dict) else {}
    if "id" not in members:
        raise ValueError("the answer is no object with an id")
    if "result" in members and not isinstance(members["result"].value, dict):
        raise ValueError("the answer's result is no object")
    return whole, members


def _code(members: dict[str, Part]) -> int | None:
    error = members["error"].value if "error" in members else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None
