"""What the gateway sees: one command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    import typer


@latchpin.hookimpl
def latchpin_commands() -> Sequence[typer.Typer]:
    """Add ``latchpin demo``."""
    from latchpin_demo.command import app  # noqa: PLC0415  a serving process needs no command line

    return [app]
