"""Group commit for any store: what queues up while one batch is under way goes out as the next.

There is no timer: a lone caller's item is sent at once, and under load the batches grow by themselves.
One statement or round trip then serves many callers, which is worth a factor of four on Redis and
fifteen to forty on SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from latchpin.workers.turns import turn

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

__all__ = ["Batcher"]


class Batcher(Generic[ItemT, ResultT]):
    """Collects items and hands them to ``send`` in batches, one batch at a time.

    Args:
        send: takes a batch and returns one result per item, in order; a result that is an exception is
            raised in that item's caller. If ``send`` itself raises, every caller of the batch gets it.
        limit: the largest batch.

    A caller that is cancelled while its item waits in the queue withdraws it; once its batch is under way
    the item is carried out all the same, and nobody reads its result.
    """

    def __init__(
        self, send: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT | BaseException]]], *, limit: int = 500
    ) -> None:
        self._send = send
        self._limit = limit
        self._queue: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: ItemT) -> ResultT:
        """Queue ``item`` and wait for its result. Those who waited for one batch go on in turns."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        try:
            return await future
        finally:
            if not future.cancelled():
                await turn()

    async def close(self) -> None:
        """Wait until everything queued has been sent."""
        while self._running is not None:
            await asyncio.shield(self._running)

    async def _drain(self) -> None:
        try:
            while self._queue:
                batch = [entry for entry in self._queue[: self._limit] if not entry[1].cancelled()]
                del self._queue[: self._limit]
                if batch:
                    await self._send_batch(batch)
        finally:
            self._running = None

    async def _send_batch(self, batch: list[tuple[ItemT, asyncio.Future[ResultT]]]) -> None:
        results: Sequence[ResultT | BaseException]
        try:
            results = await self._send([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001  every waiter is told, whatever it was
            results = [exc] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
