"""Tells plugins what happened. A listener that fails is logged and does not disturb the flow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from latchpin.contracts import EventListener

__all__ = ["EventName", "Events"]

_log = logging.getLogger("latchpin.events")

EventName = Literal[
    "flow.step",
    "token.refreshed",
    "token.spent",
    "token.disconnected",
    "tools.fetched",
]


class Events:
    """Hands each event to every listener, in the order of their rank."""

    def __init__(self, listeners: Sequence[EventListener]) -> None:
        self._listeners = listeners

    def tell(self, name: EventName, **facts: str | float | bool | None) -> None:
        """Say that something happened; ``facts`` hold no secret."""
        for listener in self._listeners:
            try:
                listener.on_event(name, facts)
            except Exception:  # noqa: BLE001  a listener may fail in any way
                _log.exception("The event listener %s failed on %s", type(listener).__name__, name)
