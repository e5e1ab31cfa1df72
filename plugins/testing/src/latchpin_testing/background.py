"""The suite for what goes on while the gateway serves: it ends when it is told to, and bears a second one beside it."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from latchpin.contracts import BackgroundTask

from latchpin_testing.people import OpenedOffer
from latchpin_testing.rules import found, holds

__all__ = ["BackgroundTaskContract"]

BRIEFLY = 60.0
"""Seconds for what ends at once, also on a busy machine."""


@pytest.mark.asyncio
class BackgroundTaskContract(OpenedOffer):
    """What ``latchpin.contracts.BackgroundTask`` promises. A subclass gives ``offer``, and ``settings`` that use it."""

    briefly = BRIEFLY

    @pytest.fixture
    def application(self) -> object:
        """What the task is given. Override this where its first moments need more."""
        return None

    async def test_it_ends_when_it_is_cancelled(self, service: BackgroundTask[object], application: object) -> None:
        """Two of them side by side, as in two workers, raise nothing and are gone once the gateway stops."""
        holds(inspect.iscoroutinefunction(service.run), "run is a coroutine function", found(service.run))
        workers = [asyncio.create_task(service.run(application)) for _ in range(2)]
        for _ in range(10):
            await asyncio.sleep(0)
        for worker in workers:
            worker.cancel()
        done, late = await asyncio.wait(workers, timeout=self.briefly)
        holds(not late, "a task that is cancelled ends")
        raised = [worker.exception() for worker in done if not worker.cancelled()]
        holds(not any(raised), "a task raises nothing while all is well", found(raised))
