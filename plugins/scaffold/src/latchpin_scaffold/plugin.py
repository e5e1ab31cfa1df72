"""What latchpin finds through the entry point: the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    import typer

__all__ = ["latchpin_commands"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[typer.Typer]:
    """Add ``latchpin plugin``."""
    from latchpin_scaffold.command import app  # noqa: PLC0415  a serving process has no use for it

    return [app]
