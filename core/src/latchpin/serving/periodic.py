"""What core itself does from time to time in each serving process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from latchpin.application import Application
from latchpin.contracts import BackgroundTask, Context, Every
from latchpin.contracts.backend import Backend
from latchpin.plugins.hookspecs import hookimpl
from latchpin.serving import announcing, maintenance
from latchpin.settings import Settings
from latchpin.tokens import idleness

__all__: list[str] = []

Task = BackgroundTask[Application]


@hookimpl
def latchpin_background_tasks() -> Sequence[Backend[Settings, Task]]:
    """Offer what keeps the stores tidy and says that this process is there."""
    return [
        _offer("purge", "removing what is past its time", maintenance.INTERVAL_SECONDS, _purge),
        _offer("announce", "saying that this process is there", announcing.INTERVAL_SECONDS, _announce),
        _offer("drop-idle", "dropping connections that nobody uses", idleness.INTERVAL_SECONDS, _drop_idle),
    ]


def _offer(
    name: str, label: str, seconds: float, turn: Callable[[Application], Awaitable[object]]
) -> Backend[Settings, Task]:
    @asynccontextmanager
    async def open_task(_settings: Settings, _context: Context) -> AsyncIterator[Task]:
        yield Every(seconds, turn)

    return Backend(name, label, Settings, open_task)


async def _purge(application: Application) -> None:
    await maintenance.purge(application.services)


async def _announce(application: Application) -> None:
    await announcing.announce(application.services)


async def _drop_idle(application: Application) -> None:
    if application.services.settings.idle_connection_days:
        await idleness.Idleness(application.services, application.tokens).sweep()
