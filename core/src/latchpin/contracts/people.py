"""How callers are known, and who is told what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from latchpin.model import Caller, Evidence

__all__ = ["EventListener", "Identity"]


class Identity(Protocol):
    """One way to know who is asking."""

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say who it is, or None if this way finds nothing in the request.

        Raises:
            NotSignedIn: something is there and it is not valid; no other way is then asked.
        """


class EventListener(Protocol):
    """Is told what happened, after it happened. It must be quick and must not raise."""

    def on_event(self, name: str, facts: Mapping[str, str | int | float | bool | None]) -> None:
        """``name`` is one of the names in docs/plugins.md; ``facts`` hold no secret."""
