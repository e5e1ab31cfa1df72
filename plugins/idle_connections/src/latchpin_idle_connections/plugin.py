"""What Latchpin finds, if ``IDLE_CONNECTION_DAYS`` says so: what notes uses, and what drops what is not used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, ConnectionObserver, Every

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_idle_connections.settings import IdleConnectionSettings

__all__ = ["latchpin_background_tasks", "latchpin_connection_observers"]


@asynccontextmanager
async def _open_usage(
    settings: IdleConnectionSettings, context: latchpin.Context
) -> AsyncIterator[ConnectionObserver | None]:
    from latchpin_idle_connections.usage import Usage  # noqa: PLC0415  loaded when opened

    yield Usage(context.kept, context.clock, settings.limit) if settings.limit else None


@asynccontextmanager
async def _open_dropping(
    settings: IdleConnectionSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin_idle_connections import idleness  # noqa: PLC0415  as above

    async def drop_idle(application: Application) -> None:
        await idleness.Idleness(application, settings.limit).sweep()

    yield Every(idleness.INTERVAL_SECONDS, drop_idle) if settings.limit else None


@latchpin.hookimpl
def latchpin_connection_observers() -> Sequence[latchpin.Backend[IdleConnectionSettings, ConnectionObserver | None]]:
    """Offer to note when each connection was last used."""
    from latchpin_idle_connections.settings import IdleConnectionSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("last-use", "noting when connections are used", IdleConnectionSettings, _open_usage)]


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[
    latchpin.Backend[IdleConnectionSettings, BackgroundTask[Application] | None]
]:
    """Offer to drop what nobody uses."""
    from latchpin_idle_connections.settings import IdleConnectionSettings  # noqa: PLC0415  as above

    return [
        latchpin.Backend("drop-idle", "dropping connections that nobody uses", IdleConnectionSettings, _open_dropping)
    ]
