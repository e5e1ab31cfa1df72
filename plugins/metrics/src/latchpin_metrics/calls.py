"""Counts MCP calls as ``mcp.server.operation.duration`` of OpenTelemetry's semantic conventions for MCP.

Callers and servers choose tools' names, errors and versions, so each of these labels has so many values at most. A
tool or prompt gets a place once it did what it was called for: names that somebody makes up take none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from latchpin.contracts import McpCall

from latchpin_metrics.meters import meters

__all__ = ["METHODS", "OTHER", "CountingCalls", "error_type"]

METHODS = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/message",
        "notifications/progress",
        "notifications/roots/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tools/call",
        "tools/list",
    }
)
OTHER = "(other)"
"""Stands for what has no place of its own."""
MOST_ERRORS, MOST_VERSIONS = 50, 10
LONGEST = 64
"""Of a label's value, in characters."""


class _Places:
    """The first values of a label, so many at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[str] = {""}

    def of(self, value: str, *, may_take: bool = True) -> str:
        """The value, or what stands for it where it has no place and gets none."""
        if value in self._taken:
            return value
        if not may_take or len(self._taken) > self._most or len(value) > LONGEST:
            return OTHER
        self._taken.add(value)
        return value


class CountingCalls:
    """Implements ``latchpin.contracts.CallObserver``.

    Args:
        names: how many tools and prompts have a label of their own.
    """

    at_once = sees_all = follows = False

    def __init__(self, names: int) -> None:
        self._tools, self._prompts = _Places(names), _Places(names)
        self._errors, self._versions = _Places(MOST_ERRORS), _Places(MOST_VERSIONS)

    def begin(self, call: McpCall) -> Callable[[], None] | None:
        """Time it, if it is an operation that came here."""
        if call.side == "client" or call.method == "(answer)":
            return None
        return partial(self._count, call)

    def _count(self, call: McpCall) -> None:
        method, worked = call.method, call.outcome == "ok"
        labels = (
            method if method in METHODS else "_OTHER",
            "execute_tool" if method == "tools/call" else "",
            self._tools.of(call.name, may_take=worked) if method == "tools/call" else "",
            self._prompts.of(call.name, may_take=worked) if method == "prompts/get" else "",
            "" if worked else self._errors.of(error_type(call)),
            self._errors.of(call.error) if call.outcome == "error" else "",
            self._versions.of(call.version, may_take=worked),
            "tcp",
            "http",
        )
        meters().calls[labels].observe(call.seconds)


def error_type(call: McpCall) -> str:
    """What kept a call from ending as it should, as ``error.type`` has it; ``""``: nothing did."""
    if call.outcome == "ok":
        return ""
    return call.error or call.outcome
