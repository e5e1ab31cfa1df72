"""Keeps the steps of flows in the record store, beside the flows: a store that is slow or away costs them nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from itertools import islice

from latchpin.errors import BackendUnavailable
from latchpin.model import Fact

from latchpin_flows.records import FlowRecords
from latchpin_flows.steps import step_of

__all__ = ["FlowHistory"]

_log = logging.getLogger("latchpin.flow_history")

QUEUE_LIMIT = 20_000
"""Steps that wait in this process: what two thousand flows leave, some 10 MB."""
BATCH = 500
GATHERING = 0.5
"""Seconds in which steps gather before they are written. One write then serves many flows."""
RETRY = 5.0
PARTING = 5.0
"""Seconds that a gateway that stops gives the last batches."""


class FlowHistory:
    """The listener that keeps: a bounded queue, and a task that empties it while there is something in it.

    Args:
        records: where the steps are kept.
        life: FLOW_HISTORY_HOURS; nothing is kept if it is zero.
        limit: steps that may wait. More are dropped, counted, and the log says how many.
    """

    def __init__(self, records: FlowRecords, *, life: timedelta, limit: int = QUEUE_LIMIT) -> None:
        self._records = records
        self._life = life
        self._limit = limit
        self._queue: deque[Fact] = deque()  # read as steps when they are written: nobody waits for that
        self._written = 0  # steps that left the queue
        self._writing = asyncio.Lock()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0
        self._away = False

    def on_event(self, fact: Fact) -> None:
        """Queue a step to be kept."""
        if not self._life or fact.name != "flow.step" or not fact.details["flow_id"]:
            return
        if len(self._queue) >= self._limit:
            if not self._dropped:
                _log.warning("The history of flows cannot be written as fast as flows go: steps are left out")
            self._dropped += 1
            return
        self._queue.append(fact)
        if self._task is None:
            # In a context of its own: its lines belong to no flow.
            self._task = asyncio.get_running_loop().create_task(self._work(), context=Context())

    async def flush(self) -> None:
        """Write what waits now, and not what comes meanwhile: whoever looks at a flow is not held up by others.

        Raises:
            BackendUnavailable: the store cannot be asked; the steps wait on.
        """
        last = self._written + len(self._queue)
        while self._written < last:
            async with self._writing:  # batch by batch, in turns with others who wait
                if self._written < last:
                    await self._write_batch()
        if self._dropped and not self._queue:
            _log.warning("%d steps of flows are missing in the history", self._dropped)
            self._dropped = 0

    async def close(self) -> None:
        """Write what waits, before the stores are closed; a store that is away is not waited for."""
        self._closing.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                while self._task is not None:
                    await asyncio.shield(self._task)
        if self._queue or self._dropped:
            _log.warning("%d steps of flows are missing in the history", len(self._queue) + self._dropped)

    async def _work(self) -> None:
        try:
            await self._pause(GATHERING)
            while self._queue:
                try:
                    await self.flush()
                except BackendUnavailable as exc:
                    self._complain(exc)
                    if self._closing.is_set():
                        return
                    await self._pause(RETRY)
        finally:
            self._task = None

    def _complain(self, exc: BackendUnavailable) -> None:
        """Once for each time that the store is away."""
        if not self._away:
            _log.warning("The history of flows cannot be written now: %s", exc.detail or exc.public)
        self._away = True

    async def _write_batch(self) -> None:
        batch = list(islice(self._queue, BATCH))
        try:
            await self._records.append([step_of(fact) for fact in batch], life=self._life)
            self._away = False
        except BackendUnavailable:
            raise
        except Exception:  # noqa: BLE001  whatever it is, it would be the same the next time
            _log.exception("%d steps of flows could not be kept", len(batch))
        for _ in batch:
            self._queue.popleft()
        self._written += len(batch)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
