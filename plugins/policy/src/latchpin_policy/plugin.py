"""What Latchpin finds: groups, gates and ceilings, and where administrators enter them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Backend, Command, Context, Groups, NavigationEntry, ScopeCeilings, ToolGates

if TYPE_CHECKING:
    from latchpin_policy.settings import PolicySettings

__all__ = [
    "latchpin_commands",
    "latchpin_configuration_kinds",
    "latchpin_groups",
    "latchpin_navigation",
    "latchpin_routes",
    "latchpin_scope_ceilings",
    "latchpin_tool_gates",
]


@asynccontextmanager
async def _open_groups(_settings: PolicySettings, context: Context) -> AsyncIterator[Groups]:
    from latchpin_policy.book import open_book  # noqa: PLC0415  loaded when opened
    from latchpin_policy.holding import OwnGroups  # noqa: PLC0415  as above

    yield OwnGroups(await open_book(context))


@asynccontextmanager
async def _open_gates(_settings: PolicySettings, context: Context) -> AsyncIterator[ToolGates]:
    from latchpin_policy.book import open_book  # noqa: PLC0415  loaded when opened
    from latchpin_policy.holding import RuleGates  # noqa: PLC0415  as above

    yield RuleGates(await open_book(context))


@asynccontextmanager
async def _open_pins(settings: PolicySettings, context: Context) -> AsyncIterator[ToolGates | None]:
    from latchpin_policy.pins import open_pins  # noqa: PLC0415  loaded when opened

    yield await open_pins(context, settings) if settings.tool_pinning else None


@asynccontextmanager
async def _open_ceilings(_settings: PolicySettings, context: Context) -> AsyncIterator[ScopeCeilings]:
    from latchpin_policy.book import open_book  # noqa: PLC0415  loaded when opened
    from latchpin_policy.holding import Ceilings  # noqa: PLC0415  as above

    yield Ceilings(await open_book(context))


@latchpin.hookimpl
def latchpin_groups() -> Sequence[Backend[Any, Groups]]:
    """Offer the groups that administrators keep here."""
    from latchpin_policy.settings import PolicySettings  # noqa: PLC0415  loaded when asked for

    return [Backend("policy", "groups kept here", PolicySettings, _open_groups)]


@latchpin.hookimpl
def latchpin_tool_gates() -> Sequence[Backend[Any, ToolGates | None]]:
    """Offer the rules about tools, and the definitions that were approved."""
    from latchpin_policy.settings import PolicySettings  # noqa: PLC0415  loaded when asked for

    return [
        Backend("rules", "rules about tools", PolicySettings, _open_gates),
        Backend("pinning", "approved definitions", PolicySettings, _open_pins),
    ]


@latchpin.hookimpl
def latchpin_scope_ceilings() -> Sequence[Backend[Any, ScopeCeilings]]:
    """Offer the rules about scopes."""
    from latchpin_policy.settings import PolicySettings  # noqa: PLC0415  loaded when asked for

    return [Backend("rules", "rules about scopes", PolicySettings, _open_ceilings)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the API and the pages."""
    modules = ("routes", "rule_pages", "group_pages", "pin_pages")
    return [f"latchpin_policy.{name}:router" for name in modules]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the pages."""
    rules = "Which tools people may use, and why."
    groups = "Groups of people, for gateways and rules."
    changed = "Tools that are held back until somebody approves how their server describes them."
    return [
        NavigationEntry("Rules", "/admin/rules", rules, group="gateways", admin_only=True, rank=30),
        NavigationEntry("Changed tools", "/admin/tools", changed, group="gateways", admin_only=True, rank=32),
        NavigationEntry("Groups", "/admin/groups", groups, group="gateways", admin_only=True, rank=31),
    ]


@latchpin.hookimpl
def latchpin_configuration_kinds() -> Sequence[str]:
    """Offer groups and rules to files."""
    return [f"latchpin_policy.configuration:{name}_KIND" for name in ("GROUP", "RULE")]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin rules``, ``groups``, ``tools`` and ``access``."""
    return [
        Command("rules", "Rules about tools and scopes: list, add and remove.", "latchpin_policy.commands:rules"),
        Command("groups", "Groups of people: list, show, change and remove.", "latchpin_policy.commands:groups"),
        Command("tools", "Tools that wait for approval: list and approve.", "latchpin_policy.pin_commands:app"),
        Command("access", "Say which rule decides who may use what.", "latchpin_policy.commands:access"),
    ]
