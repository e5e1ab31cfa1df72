"""What core itself does from time to time in each serving process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from latchpin.contracts import BackgroundTask, Context, Every
from latchpin.contracts.backend import Backend
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.application import Application
    from latchpin.settings import Settings

__all__: list[str] = []


@hookimpl
def latchpin_background_tasks() -> Sequence[Backend[Settings, BackgroundTask[Application]]]:
    """Offer what keeps the stores tidy and says that this process is there."""
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    return [
        Backend("purge", "removing what is past its time", Settings, _open_purge),
        Backend("announce", "saying that this process is there", Settings, _open_announce),
        Backend("collect", "giving back memory that only reference cycles keep", Settings, _open_collect),
        Backend("departures", "ending what is under way for people whose sessions ended", Settings, _open_departures),
    ]


@asynccontextmanager
async def _open_purge(_settings: Settings, _context: Context) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin.serving import maintenance  # noqa: PLC0415  loaded when it is opened

    async def purge(application: Application) -> None:
        await maintenance.purge(application.services)

    yield Every(maintenance.INTERVAL_SECONDS, purge)


@asynccontextmanager
async def _open_announce(_settings: Settings, _context: Context) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin.serving import announcing  # noqa: PLC0415  loaded when it is opened

    async def announce(application: Application) -> None:
        await announcing.announce(application.services)

    yield Every(announcing.INTERVAL_SECONDS, announce)


@asynccontextmanager
async def _open_collect(_settings: Settings, _context: Context) -> AsyncIterator[BackgroundTask[Application]]:
    from latchpin.serving import collecting  # noqa: PLC0415  loaded when it is opened

    async def collect(_application: Application) -> None:
        collecting.collect_all()

    yield Every(collecting.INTERVAL_SECONDS, collect)


@asynccontextmanager
async def _open_departures(_settings: Settings, _context: Context) -> AsyncIterator[BackgroundTask[Application]]:
    yield _Departures()


class _Departures:
    """Looks as often as there is something to find."""

    async def run(self, application: Application) -> None:
        """Look until cancelled."""
        await application.departures.run()
