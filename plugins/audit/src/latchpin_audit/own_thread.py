"""A thread for what may hang: a write to a pipe that nobody reads, a disk that is away. Nothing waits for its end."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

__all__ = ["OwnThread"]


class OwnThread:
    """Runs one thing after the other. ``asyncio.to_thread`` would keep the process from ending while one hangs."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """What ``work`` returns, or raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()

        def do() -> None:
            try:
                result = work()
            except Exception as exc:  # noqa: BLE001  whoever waits is told, whatever it was
                _tell(loop, future, future.set_exception, exc)
            else:
                _tell(loop, future, future.set_result, result)

        self._work.put(do)
        return await future

    def close(self) -> None:
        """End once all is done; nobody waits for that."""
        self._work.put(None)

    def _run(self) -> None:
        while (do := self._work.get()) is not None:
            do()


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], tell: Callable[[Any], None], what: Any) -> None:  # noqa: ANN401  either
    def told() -> None:
        if not future.done():
            tell(what)

    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(told)
