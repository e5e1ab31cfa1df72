"""What core itself does from time to time in each serving process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
    from latchpin.serving import announcing, maintenance  # noqa: PLC0415  loaded when asked for
    from latchpin.tokens import idleness  # noqa: PLC0415  loaded when asked for

    return [
        _offer("purge", "removing what is past its time", maintenance.INTERVAL_SECONDS, _purge),
        _offer("announce", "saying that this process is there", announcing.INTERVAL_SECONDS, _announce),
        _offer("drop-idle", "dropping connections that nobody uses", idleness.INTERVAL_SECONDS, _drop_idle),
    ]


def _offer(
    name: str, label: str, seconds: float, turn: Callable[[Application], Awaitable[object]]
) -> Backend[Settings, BackgroundTask[Application]]:
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    @asynccontextmanager
    async def open_task(_settings: Settings, _context: Context) -> AsyncIterator[BackgroundTask[Application]]:
        yield Every(seconds, turn)

    return Backend(name, label, Settings, open_task)


async def _purge(application: Application) -> None:
    from latchpin.serving import maintenance  # noqa: PLC0415  loaded when asked for

    await maintenance.purge(application.services)


async def _announce(application: Application) -> None:
    from latchpin.serving import announcing  # noqa: PLC0415  loaded when asked for

    await announcing.announce(application.services)


async def _drop_idle(application: Application) -> None:
    from latchpin.tokens import idleness  # noqa: PLC0415  loaded when asked for

    if application.services.settings.idle_connection_days:
        await idleness.Idleness(application.services, application.tokens).sweep()
