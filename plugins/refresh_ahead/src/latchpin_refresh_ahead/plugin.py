"""What Latchpin finds: a background task, if ``REFRESH_AHEAD`` says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Every

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_refresh_ahead.settings import RefreshAheadSettings

__all__ = ["latchpin_background_tasks"]


@asynccontextmanager
async def _open(
    settings: RefreshAheadSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin_refresh_ahead import refresh_ahead  # noqa: PLC0415  loaded when opened

    task = Every(refresh_ahead.INTERVAL_SECONDS, refresh_ahead.refresh_due)
    yield task if settings.refresh_ahead else None


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[RefreshAheadSettings, BackgroundTask[Application] | None]]:
    """Offer to renew what is due."""
    from latchpin_refresh_ahead.settings import RefreshAheadSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("refresh-ahead", "renewing tokens ahead of time", RefreshAheadSettings, _open)]
