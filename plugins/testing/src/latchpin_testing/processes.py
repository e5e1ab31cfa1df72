"""Four processes that open one store at once: real processes, started anew (spawn), meeting at a barrier."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any, TypeAlias, TypeVar

import pytest
from latchpin.contracts import Backend

from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.rules import found

__all__ = ["PROCESSES", "Meet", "ProcessTeam", "WithProcesses"]

PROCESSES = 4
DEADLINE_SECONDS = 120

WorkT = TypeVar("WorkT")
ResultT = TypeVar("ResultT")
AnyService: TypeAlias = Any

Meet = Callable[[], None]
"""Waits until all processes have called it."""

_barrier: Barrier


class ProcessTeam:
    """Processes that each open the same offer and then do their part of the work."""

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self._barrier = spawn.Barrier(PROCESSES)
        self._pool = ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_enter, initargs=(self._barrier,))

    async def run(
        self,
        task: Callable[[AnyService, WorkT, Meet], Awaitable[ResultT]],
        works: Sequence[WorkT],
        *,
        offer: Backend[Any, Any],
        settings: Any,  # noqa: ANN401  the plugin's own model
        now: datetime,
    ) -> list[ResultT]:
        """Run ``task(store, work, meet)`` in a process for each of ``works``; all begin together.

        Args:
            task: a function at the top of a module, so that another process can import it.
            works: one for each process.
            offer: what the hook returned; it is pickled, so its ``open`` stands at the top of a module.
            settings: pickled too.
            now: where the clock stands in every process.
        """
        _must_pickle(offer, settings)
        self._barrier.reset()
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(self._pool, _work, task, work, offer, settings, now) for work in works]
        results: list[ResultT | BaseException] = await asyncio.gather(*calls, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        causes = [failure for failure in failures if not isinstance(failure, BrokenBarrierError)] or failures
        if causes:
            raise AssertionError(f"another process could not do its part: {found(causes[0])}") from causes[0]
        return [result for result in results if not isinstance(result, BaseException)]

    def close(self) -> None:
        """End the processes."""
        self._barrier.abort()
        self._pool.shutdown(cancel_futures=True)


class WithProcesses:
    """Gives the tests of a class their processes."""

    @pytest.fixture(scope="class")
    @classmethod
    def team(cls) -> Iterator[ProcessTeam]:
        """Four processes, started when first used and ended after the class's last test."""
        team = ProcessTeam()
        try:
            yield team
        finally:
            team.close()


def _must_pickle(offer: Backend[Any, Any], settings: Any) -> None:  # noqa: ANN401  the plugin's own model
    __tracebackhide__ = True
    try:
        pickle.dumps((offer, settings))
    except (pickle.PicklingError, AttributeError, TypeError) as exc:
        raise AssertionError(
            "the offer of a shared backend and its settings must pickle, so that another process can open it: "
            f"let Backend.open be a function at the top of an importable module ({exc})"
        ) from exc


def _enter(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603  how a pool hands its processes what is only inherited
    _barrier = barrier


def _meet() -> None:
    _barrier.wait(DEADLINE_SECONDS)


def _work(
    task: Callable[[AnyService, WorkT, Meet], Awaitable[ResultT]],
    work: WorkT,
    offer: Backend[Any, Any],
    settings: Any,  # noqa: ANN401  the plugin's own model
    now: datetime,
) -> ResultT:
    async def open_and_do() -> ResultT:
        context = SuiteContext(MovedClock(now), instance_id=f"process-{os.getpid()}")
        async with context, offer.open(settings, context) as store:
            _meet()
            return await asyncio.wait_for(task(store, work, _meet), DEADLINE_SECONDS)

    try:
        return asyncio.run(open_and_do())
    except BaseException as exc:
        _barrier.abort()
        if isinstance(exc, BrokenBarrierError):
            raise
        # Our errors take keyword arguments and do not pickle; what matters is their text.
        raise RuntimeError(found(exc)) from None
