"""What Latchpin finds: what keeps flows and removes old ones, their pages, commands and numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Command, EventListener, Every, Gauge, NavigationEntry

if TYPE_CHECKING:
    from latchpin.model import Caller
    from latchpin.sdk.gateway import Application

    from latchpin_flows.settings import FlowSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_commands",
    "latchpin_event_listeners",
    "latchpin_gauges",
    "latchpin_navigation",
    "latchpin_routes",
]

INTERVAL_SECONDS = 30.0
MOST_FLOWS = 100_000
MOST_FAILURES = 100


@asynccontextmanager
async def _open_history(_settings: FlowSettings, context: latchpin.Context) -> AsyncIterator[EventListener]:
    from latchpin_flows.inspector import open_inspector  # noqa: PLC0415  loaded when asked for

    yield (await open_inspector(context)).history


@asynccontextmanager
async def _open_purging(
    settings: FlowSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin_flows.inspector import open_inspector  # noqa: PLC0415  loaded when asked for

    async def turn(application: Application) -> None:
        inspector = await open_inspector(application.services.context)
        services, now = application.services, application.services.clock()
        await inspector.records.settle(before=now - timedelta(seconds=services.settings.state_ttl_seconds))
        await inspector.records.purge(before=now - settings.life, most=MOST_FLOWS)

    yield Every(INTERVAL_SECONDS, turn)


async def _count_pending(application: Application) -> int | None:
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_flows.inspector import open_inspector  # noqa: PLC0415  loaded when asked for
    from latchpin_flows.settings import FlowSettings  # noqa: PLC0415  loaded when asked for

    if not load(FlowSettings).flow_history_hours:
        return None
    inspector = await open_inspector(application.services.context)
    return await inspector.count_pending(timedelta(seconds=application.services.settings.state_ttl_seconds))


async def _count_failed(application: Application, caller: Caller) -> str:
    from latchpin_flows.inspector import open_inspector  # noqa: PLC0415  loaded when asked for
    from latchpin_flows.summaries import FlowQuery  # noqa: PLC0415  loaded when asked for

    inspector = await open_inspector(application.services.context)
    found = len(await inspector.list(FlowQuery(outcome="failed"), caller, limit=MOST_FAILURES))
    return f"{found}+" if found == MOST_FAILURES else str(found)


@latchpin.hookimpl
def latchpin_event_listeners() -> Sequence[latchpin.Backend[FlowSettings, EventListener]]:
    """Keep each step of each flow."""
    from latchpin_flows.settings import FlowSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("flows", "the history of flows", FlowSettings, _open_history)]


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[FlowSettings, BackgroundTask[Application]]]:
    """Remove flows that are too old, and give those that will not go on a document of their own."""
    from latchpin_flows.settings import FlowSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("flows-purge", "removing old flows", FlowSettings, _open_purging)]


@latchpin.hookimpl
def latchpin_gauges() -> Sequence[Gauge]:
    """Say how many flows are under way."""
    return [Gauge("pending_flows", "Authorizations that were begun and may still end.", _count_pending)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the pages, which are an API too."""
    return ["latchpin_flows.routes:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to them; to a flow that failed only where flows are kept."""
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_flows.settings import FlowSettings  # noqa: PLC0415  loaded when asked for

    entries = [
        NavigationEntry("Flows", "/flows", group="activity", rank=10),
        NavigationEntry("Flows", "/flows?gateway_id={gateway_id}", place="gateway-page", admin_only=True),
        NavigationEntry(
            "Failed flows",
            "/flows?outcome=failed",
            "Of those that are kept and that you may see.",
            place="overview",
            number=_count_failed,
        ),
    ]
    if load(FlowSettings).flow_history_hours:
        entries.append(NavigationEntry("Flow", "/flows/{flow_id}", place="flow"))
    return entries


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin flows``."""
    return [Command("flows", "Look at authorizations, step by step.", "latchpin_flows.command:app")]
