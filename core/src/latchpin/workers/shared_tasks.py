"""One task for all callers in this process who want the same thing at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from latchpin.workers.turns import turn

__all__ = ["SharedTasks"]

KeyT = TypeVar("KeyT", bound=Hashable)
ResultT = TypeVar("ResultT")


class SharedTasks(Generic[KeyT, ResultT]):
    """Runs at most one task for a key; a caller who goes away does not take the others' work along."""

    def __init__(self) -> None:
        self._running: dict[KeyT, asyncio.Task[ResultT]] = {}

    async def run(self, key: KeyT, start: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Wait for the task of ``key``, started now if none is under way. Those who waited go on in turns."""
        task = self.begin(key, start)
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                await turn()

    def begin(self, key: KeyT, start: Callable[[], Coroutine[Any, Any, ResultT]]) -> asyncio.Task[ResultT]:
        """The task of ``key``, started now if none is under way. Nobody has to wait for it."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(start())
            task.add_done_callback(lambda done: self._finish(key, done))
        return task

    async def close(self) -> None:
        """Wait for what is under way, and for what comes meanwhile: what another server has done must still be kept."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await asyncio.sleep(0)  # the tasks' callbacks, which take them out, run after those that wait for them

    def _finish(self, key: KeyT, task: asyncio.Task[ResultT]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # everybody who waited has it; nobody may be left
