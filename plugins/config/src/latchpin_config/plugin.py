"""What Latchpin finds: the commands, the gateways' kind, two places of secrets, and what pages say of ruled entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Backend, Check, CheckContext, Command, Context, EntryNotes, Finding, NavigationEntry

if TYPE_CHECKING:
    from latchpin_config.settings import ConfigSettings

__all__ = [
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_configuration_kinds",
    "latchpin_entry_notes",
    "latchpin_navigation",
    "latchpin_routes",
    "latchpin_secret_schemes",
]


@asynccontextmanager
async def _open_notes(_settings: ConfigSettings, context: Context) -> AsyncIterator[EntryNotes]:
    from latchpin_config.marks import RuledNotes  # noqa: PLC0415  loaded when opened

    yield RuledNotes(context)


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin apply``, ``diff``, ``export`` and ``configuration``."""
    module = "latchpin_config.commands"
    return [
        Command("apply", "Make what is kept as files say: everything, or nothing.", f"{module}:apply_app"),
        Command("diff", "Say what apply would change, member by member, with secrets hidden.", f"{module}:diff_app"),
        Command("export", "Print what is kept as a file for apply.", f"{module}:export_app"),
        Command("configuration", "What files rule, and the schema of files.", f"{module}:configuration"),
    ]


@latchpin.hookimpl
def latchpin_configuration_kinds() -> Sequence[str]:
    """Offer the gateways."""
    return ["latchpin_config.gateways:KIND"]


@latchpin.hookimpl
def latchpin_secret_schemes() -> Sequence[str]:
    """Offer the environment and files."""
    return ["latchpin_config.secret_sources:schemes"]


@latchpin.hookimpl
def latchpin_entry_notes() -> Sequence[Backend[Any, EntryNotes]]:
    """Say of an entry which file rules it."""
    from latchpin_config.settings import ConfigSettings  # noqa: PLC0415  loaded when asked for

    return [Backend("config", "files that are applied", ConfigSettings, _open_notes)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the page and the download."""
    return ["latchpin_config.routes:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the page."""
    about = "What is entered, as a file, and which files rule it."
    return [NavigationEntry("Configuration", "/admin/configuration", about, group="system", admin_only=True, rank=75)]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say whether an apply did not end."""
    return [Check("configuration", "Configuration", "files that were applied", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_config.checks import check_unfinished  # noqa: PLC0415  loaded when doctor runs

    return await check_unfinished(context)
