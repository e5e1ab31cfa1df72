"""Runs what serving processes do on the side: one that fails is logged and run again, and disturbs nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from latchpin.contracts import BackgroundTask
from latchpin.errors import LatchpinError

__all__ = ["RETRY_SECONDS", "running"]

_log = logging.getLogger("latchpin.background")

RETRY_SECONDS = 30.0
END_SECONDS = 60.0
"""For a task to end once it is cancelled: what it has begun with another server may take its deadline."""

ApplicationT = TypeVar("ApplicationT")
Pause = Callable[[float], Awaitable[object]]


@asynccontextmanager
async def running(
    tasks: Mapping[str, BackgroundTask[ApplicationT]],
    application: ApplicationT,
    *,
    pause: Pause = asyncio.sleep,
    end_seconds: float = END_SECONDS,
) -> AsyncIterator[None]:
    """Run the tasks while the body runs; then cancel them and wait for their end.

    Args:
        tasks: by their names for the log.
        application: what each is given.
        pause: waits that many seconds before a failed one is run again.
        end_seconds: one that does not end in this time is left behind.
    """
    begun = [
        asyncio.create_task(_keep_running(name, task, application, pause), name=name) for name, task in tasks.items()
    ]
    try:
        yield
    finally:
        for each in begun:
            each.cancel()
        late = (await asyncio.wait(begun, timeout=end_seconds))[1] if begun else ()
        for each in late:
            _log.error("The background task %s did not end within %g s", each.get_name(), end_seconds)


async def _keep_running(name: str, task: BackgroundTask[ApplicationT], application: ApplicationT, pause: Pause) -> None:
    while True:
        try:
            return await task.run(application)
        except LatchpinError as exc:
            reason = exc.detail or exc.public
            _log.warning("The background task %s failed, and is run again in %g s: %s", name, RETRY_SECONDS, reason)
        except (Exception, SystemExit, asyncio.CancelledError) as exc:  # a plugin may fail in any way
            ours = asyncio.current_task()
            if isinstance(exc, asyncio.CancelledError) and ours is not None and ours.cancelling():
                raise
            _log.exception("The background task %s failed, and is run again in %g s", name, RETRY_SECONDS)
        await pause(RETRY_SECONDS)
