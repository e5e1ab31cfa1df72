"""What latchpin finds through the entry point: the command."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import Command

__all__ = ["latchpin_commands"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin plugin``."""
    return [Command("plugin", "Begin a plugin of your own.", "latchpin_scaffold.command:app")]
