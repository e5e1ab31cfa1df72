"""What Latchpin finds: the one operation that ends people, where it is asked for, and what takes tokens back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Command, Every, NavigationEntry

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = [
    "latchpin_background_tasks",
    "latchpin_commands",
    "latchpin_key_uses",
    "latchpin_navigation",
    "latchpin_routes",
]

INTERVAL_SECONDS = 3.0
"""Between two looks of a worker for what is due."""


@asynccontextmanager
async def _open_revocations(
    _settings: latchpin.Settings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin_offboarding.people import People  # noqa: PLC0415  loaded when it is opened

    async def work(application: Application) -> None:
        await People(application).work()

    yield Every(INTERVAL_SECONDS, work)


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[latchpin.Settings, BackgroundTask[Application]]]:
    """Take back the tokens of people who are out."""
    label = "taking back the tokens of people who are out"
    return [latchpin.Backend("revocations", label, latchpin.Settings, _open_revocations)]


@latchpin.hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name the tokens that are still to be revoked."""
    return ["latchpin_offboarding.records:KEY_USE"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the API and the pages."""
    return ["latchpin_offboarding.routes:router", "latchpin_offboarding.pages:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the page."""
    return [
        NavigationEntry(
            "People who left",
            "/admin/people",
            "Who is out, and what is still to be revoked of theirs. End somebody, or let them in again.",
            group="connections",
            admin_only=True,
            rank=35,
        )
    ]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin people``."""
    about = "End people who leave, see who is out, let them in again."
    return [Command("people", about, "latchpin_offboarding.commands:app")]
