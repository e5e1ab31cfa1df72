"""Tools that a gate holds back: judged in each call, and taken out of each list on its way to the caller. Pure.

One reading decides: ``latchpin_mcp.message.parse_message``, of the very bytes and header fields that go on. What it
cannot read is refused where a gate holds, and so is a method that may be another way to a tool.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latchpin.contracts import ToolGate
from latchpin.sdk.mcp import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND
from latchpin_mcp.message import Message, Refused, parse_message

__all__ = ["ToolCall", "ToolSieve", "read_call", "unknown_tool"]

Note = Callable[[Sequence[Mapping[str, Any]]], None]

_CALL = "tools/call"
_METHODS = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "subscriptions/listen",
        "logging/setLevel",
        "completion/complete",
        "tools/list",
        _CALL,
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/get",
        "tasks/result",
        "tasks/update",
        "tasks/list",
        "tasks/cancel",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
        "notifications/tasks/status",
        "notifications/elicitation/complete",
    }
)
"""What MCP has: nothing but ``tools/call`` runs a tool. A server's own methods may do anything."""
_JUDGED = frozenset({"mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "content-type"})
LONGEST_NAME = 255
"""Characters of a tool's name; what is longer names none."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool.

    Attributes:
        message: as it goes on.
        name: of the tool, as the caller wrote it.
    """

    message: Message = field(repr=False)
    name: str


def read_call(method: str, body: bytes | None, headers: Sequence[tuple[str, str]]) -> ToolCall | None:
    """The call in a request; None where it calls no tool.

    Args:
        method: of HTTP.
        body: the whole, as it goes on; None: there is more of it than can be held.
        headers: as they go on, names in lower case.

    Raises:
        Refused: it cannot be read, or may be another way to a tool.
    """
    if body is None:
        raise Refused(INVALID_REQUEST, "the message is too large to be judged by the rules that hold here", status=413)
    if method != "POST":
        if body:
            raise Refused(INVALID_REQUEST, f"a {method} has no body", status=400)
        return None
    _check_names(headers)
    message = parse_message(body, ((name.encode(), value.encode()) for name, value in headers))
    if message.method is None:
        return None
    if message.method not in _METHODS:
        text = f"{message.method[:100]!a} is not passed on where rules hold tools back"
        raise Refused(METHOD_NOT_FOUND, text, id=message.id, status=_status(message, 404))
    if message.method != _CALL:
        return None
    name = message.param("name")
    if not isinstance(name, str):
        raise Refused(INVALID_PARAMS, "params.name names no tool", id=message.id, status=_status(message, 400))
    if len(name) > LONGEST_NAME or not _is_plain(name):
        raise unknown_tool(message, name)
    return ToolCall(message, name)


def _check_names(headers: Sequence[tuple[str, str]]) -> None:
    """Refuse fields that some servers read as one of MCP's (RFC 3875 section 4.1.18), and others do not."""
    for name, _ in headers:
        if "_" in name and name.replace("_", "-") in _JUDGED:
            raise Refused(HEADER_MISMATCH, f"the header field {name} is written with _ in place of -")


def unknown_tool(message: Message, name: str) -> Refused:
    """What is said of a tool that is held back, and of one that is none."""
    return Refused(INVALID_PARAMS, f"Unknown tool: {name[:200]}", id=message.id, status=_status(message, 400))


class ToolSieve:
    """Takes what is held back out of lists.

    Args:
        gate: judges.
        note: is given the definitions of a list by which calls will be judged.
        hides: whether anything is taken out.
    """

    def __init__(self, gate: ToolGate, note: Note, *, hides: bool) -> None:
        self._gate = gate
        self._note = note
        self._hides = hides

    def keep(self, tools: Sequence[Any]) -> list[Any]:
        """Those that the caller may use. What has no name, or could be called by none, is left out."""
        kept, deciding = [], []
        for tool in tools:
            name = tool.get("name") if isinstance(tool, dict) else None
            if not isinstance(name, str) or len(name) > LONGEST_NAME or not _is_plain(name):
                continue
            if self._gate.judge(name, None) is None:
                deciding.append(tool)
            verdict = self._gate.judge(name, tool)
            if verdict is not None and verdict.allowed:
                kept.append(tool)
        if deciding:
            self._note(deciding)
        return kept if self._hides else list(tools)


def _is_plain(name: str) -> bool:
    """Whether it looks as it is: no half characters, nothing invisible, nothing that servers take for other letters."""
    return name.isprintable() and unicodedata.is_normalized("NFKC", name)


def _status(message: Message, modern: int) -> int:
    return 200 if message.era == "sessions" else modern
