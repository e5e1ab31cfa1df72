"""What Latchpin finds: the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    import typer

__all__ = ["latchpin_commands"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[typer.Typer]:
    """Add ``latchpin gateways``, ``config``, ``states`` and ``break-glass``."""
    from latchpin_admin_cli import break_glass, config, gateways, states  # noqa: PLC0415  serving has no use for them

    return [gateways.app, config.app, states.app, break_glass.app]
