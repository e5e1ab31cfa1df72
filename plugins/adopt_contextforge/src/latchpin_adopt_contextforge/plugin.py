"""What Latchpin finds: the command."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import Command

__all__ = ["latchpin_commands"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin adopt``."""
    return [
        Command("adopt", "Take over what another gateway has kept.", "latchpin_adopt_contextforge.commands:app"),
    ]
