"""What the gateway sees: one command."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import Command


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin demo``."""
    return [
        Command(
            "demo",
            "Start an authorization server, two protected MCP servers and the gateway here, and give one URL for both.",
            "latchpin_demo.command:app",
        )
    ]
