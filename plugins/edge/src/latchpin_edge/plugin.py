"""What Latchpin finds: the data plane's question, the commands that configure it, and a check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Check, CheckContext, Command, Finding

if TYPE_CHECKING:
    from latchpin_edge.settings import EdgeSettings

__all__ = ["latchpin_checks", "latchpin_commands", "latchpin_routes", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> Sequence[type[EdgeSettings]]:
    """Name the variables of the data plane."""
    from latchpin_edge.settings import EdgeSettings  # noqa: PLC0415  loaded when asked for

    return [EdgeSettings]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Answer the data plane's question."""
    return ["latchpin_edge.routes:make_router"]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin edge``."""
    return [Command("edge", "Let nginx or Envoy move MCP calls.", "latchpin_edge.commands:app")]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say which gateways the data plane serves."""
    return [Check("edge", "MCP servers", "the native data plane", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_edge.checks import check_ways  # noqa: PLC0415  loaded when doctor runs

    return await check_ways(context)
