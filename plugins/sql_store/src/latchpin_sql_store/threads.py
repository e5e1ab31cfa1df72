"""Threads in which transactions run."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from latchpin.errors import BackendUnavailable

__all__ = ["Thread"]

ResultT = TypeVar("ResultT")


class Thread:
    """One thread that runs what it is given, in order.

    It is a daemon: a database that neither answers nor hangs up must not keep the process from ending. It counts the
    answers of its database, so that whoever waits can tell a silent one from a long queue.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._answers = 0
        self._asking = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], ResultT]) -> ResultT:
        """Run ``job`` in the thread and give its result.

        Raises:
            BackendUnavailable: the thread was closed.
        """
        if self._closed:
            raise BackendUnavailable("the database was closed: the gateway is stopping")
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def heard(self, *_: object) -> None:
        """Note that the database answered. Called in the thread."""
        self._answers += 1

    def silence(self) -> Callable[[], bool]:
        """Give a question to repeat: was the database asked, and has it answered nothing since the last time?"""
        known = self._answers

        def silent() -> bool:
            nonlocal known
            before, known = known, self._answers
            return self._asking and known == before

        return silent

    def close(self) -> None:
        """Let the thread end after what it has been given. Does not wait."""
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            self._asking = True
            try:
                result, error = job(), None
            except Exception as exc:  # noqa: BLE001  it belongs to whoever gave the job
                result, error = None, exc
            self._asking = not self._jobs.empty()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                future.get_loop().call_soon_threadsafe(_answer, future, result, error)


def _answer(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
