"""What Latchpin finds: the commands."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import Command

__all__ = ["latchpin_commands"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin gateways``, ``connections``, ``config``, ``states`` and ``break-glass``."""
    return [
        Command("gateways", "Add, change, list, show and remove gateways.", "latchpin_admin_cli.gateways:app"),
        Command("connections", "List who is connected, and enter keys.", "latchpin_admin_cli.connections:app"),
        Command("config", "Show the settings.", "latchpin_admin_cli.config:app"),
        Command("states", "Look after pending authorizations.", "latchpin_admin_cli.states:app"),
        Command(
            "break-glass",
            "End every session, authorization and connection, and have every token revoked, after something was "
            "stolen.",
            "latchpin_admin_cli.break_glass:app",
        ),
    ]
