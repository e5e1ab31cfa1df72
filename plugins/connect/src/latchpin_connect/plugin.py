"""What Latchpin finds: the page, its links, and the commands."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import Command, NavigationEntry

__all__ = ["latchpin_commands", "latchpin_navigation", "latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the page."""
    return ["latchpin_connect.routes:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to it from the menu, and from each gateway's page."""
    about = "What to enter in your assistant or MCP client."
    return [
        NavigationEntry("Connect a client", "/connect", about, group="connections", rank=5),
        NavigationEntry("Connect a client", "/connect?gateway_id={gateway_id}", place="gateway-page", rank=5),
    ]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin clients``."""
    return [Command("clients", "What to enter in which MCP client.", "latchpin_connect.command:app")]
