"""What Latchpin finds: the one endpoint and those of sets, what is to be said of sets, and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Check, CheckContext, Command, Finding, NavigationEntry

if TYPE_CHECKING:
    from latchpin_aggregator.settings import AggregatorSettings

__all__ = [
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_configuration_kinds",
    "latchpin_key_uses",
    "latchpin_navigation",
    "latchpin_protected_resources",
    "latchpin_routes",
    "latchpin_settings",
]


@latchpin.hookimpl
def latchpin_settings() -> list[type[AggregatorSettings]]:
    """Name the variables of the one endpoint."""
    from latchpin_aggregator.settings import AggregatorSettings  # noqa: PLC0415  loaded when asked for

    return [AggregatorSettings]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the endpoints, and what is done with sets."""
    sets = "latchpin_aggregator.sets"
    return ["latchpin_aggregator.routes:make_router", f"{sets}.routes:router", f"{sets}.pages:router"]


@latchpin.hookimpl
def latchpin_protected_resources() -> Sequence[str]:
    """Name the endpoints, so that clients can get tokens for them."""
    return ["latchpin_aggregator.resource:RESOURCES"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the sets."""
    about = "Several servers behind one URL, for a team or a task."
    return [NavigationEntry("Sets", "/admin/sets", about, group="gateways", rank=20)]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin sets``."""
    return [
        Command(
            "sets", "Sets of gateways: list, show, create, change and remove.", "latchpin_aggregator.sets.commands:app"
        )
    ]


@latchpin.hookimpl
def latchpin_configuration_kinds() -> Sequence[str]:
    """Offer the sets to files."""
    return ["latchpin_aggregator.sets.configuration:KIND"]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say which sets have nothing in them."""
    return [Check("sets", "MCP servers", "the sets of gateways", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_aggregator.sets.checks import check_sets  # noqa: PLC0415  loaded when doctor runs

    return await check_sets(context)


@latchpin.hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name the sessions, which are sealed."""
    return ["latchpin_aggregator.kept_sessions:KEY_USE"]
