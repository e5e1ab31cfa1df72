"""What Latchpin finds: the page, its links, and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Command, NavigationEntry

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["latchpin_commands", "latchpin_navigation", "latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[APIRouter]:
    """Offer the page."""
    from latchpin_connect.routes import router  # noqa: PLC0415  FastAPI is not loaded by commands

    return [router]


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
