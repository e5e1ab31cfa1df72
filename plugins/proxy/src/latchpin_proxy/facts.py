"""What is told of calls that do not go on, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "TOOL_REFUSED"]

TOOL_REFUSED = OwnFact("tool.refused", FactKind("A program called a tool that is held back.", "tool rule"))

FACTS = (TOOL_REFUSED,)
"""All of them, in the order of the documentation."""
