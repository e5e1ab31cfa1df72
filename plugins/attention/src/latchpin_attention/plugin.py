"""What Latchpin finds: what looks for connections that need their person, and where they are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Check, Command, ConnectionNotes, Every, Gauge, NavigationEntry, Recorder

if TYPE_CHECKING:
    from latchpin.contracts import CheckContext, Finding
    from latchpin.model import Caller
    from latchpin.sdk.gateway import Application

    from latchpin_attention.settings import AttentionSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_connection_notes",
    "latchpin_gauges",
    "latchpin_navigation",
    "latchpin_recorders",
    "latchpin_routes",
]

INTERVAL_SECONDS = 30.0


@asynccontextmanager
async def _open_recorder(_settings: AttentionSettings, context: latchpin.Context) -> AsyncIterator[Recorder]:
    from latchpin_attention.book import NeedsRecorder  # noqa: PLC0415  loaded when opened

    yield NeedsRecorder(context)


@asynccontextmanager
async def _open_looking(
    _settings: AttentionSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin_attention.book import look_in_turn  # noqa: PLC0415  loaded when opened

    yield Every(INTERVAL_SECONDS, look_in_turn)


@latchpin.hookimpl
def latchpin_recorders() -> Sequence[latchpin.Backend[AttentionSettings, Recorder | None]]:
    """Keep what events say of connections."""
    from latchpin_attention.settings import AttentionSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("attention", "connections that need their person", AttentionSettings, _open_recorder)]


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[AttentionSettings, BackgroundTask[Application] | None]]:
    """Look for what no event says."""
    from latchpin_attention.settings import AttentionSettings  # noqa: PLC0415  loaded when asked for

    label = "looking for connections that need their person"
    return [latchpin.Backend("attention", label, AttentionSettings, _open_looking)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the API and the page."""
    return ["latchpin_attention.routes:router", "latchpin_attention.pages:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the page, with a number on the overview."""
    about = "Connections that need somebody: to authorize again, to grant more, or to enter a key."
    mine = "Of yours, or of what all share: authorize again, grant more, or enter a key."
    return [
        NavigationEntry("Needs attention", "/admin/attention", about, group="connections", rank=25),
        NavigationEntry("Needs attention", "/admin/attention", mine, place="overview", rank=10, number=_count),
    ]


async def _count(application: Application, caller: Caller) -> str:
    from latchpin_attention.finding import needs_of  # noqa: PLC0415  loads the gateway

    return str(len(await needs_of(application, caller)))


@latchpin.hookimpl
def latchpin_connection_notes() -> Sequence[ConnectionNotes]:
    """Say beside people's connections why they are needed."""
    return [ConnectionNotes(_notes)]


async def _notes(application: Application, caller: Caller) -> Mapping[str, Sequence[str]]:
    from latchpin_attention.finding import needs_of  # noqa: PLC0415  loads the gateway

    found: dict[str, list[str]] = {}
    for need in await needs_of(application, caller):
        words = f"{need.account}: {need.words}." if need.account else f"{need.words}."
        found.setdefault(need.gateway_id, []).append(words)
    return found


@latchpin.hookimpl
def latchpin_gauges() -> Sequence[Gauge]:
    """Say how many connections need somebody."""
    about = "Connections that need their person, as of the last look."
    return [Gauge("connections_in_need", about, _count_all)]


async def _count_all(application: Application) -> float:
    from latchpin_attention.book import NEEDS, STANDING  # noqa: PLC0415  loads the gateway

    return float(await application.services.context.collection(NEEDS).count("state", STANDING))


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say how many connections need somebody, and whether anything tells them."""
    return [Check("attention", "Connections", "connections that need their person", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_attention.checks import check_needs  # noqa: PLC0415  as above

    return await check_needs(context)


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin attention``."""
    return [Command("attention", "List connections that need somebody.", "latchpin_attention.command:app")]
