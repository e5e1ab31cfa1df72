"""Threads in which transactions run, and the lanes by which callers get their work into them.

One lane gathers what waits while a transaction is under way and does it all in the next one: under load a
commit, the dear part, serves many callers.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from latchpin.batching import Batcher
from latchpin.errors import BackendUnavailable
from latchpin.patience import patience
from sqlalchemy import Connection, Engine

from latchpin_sql_store.faults import Duplicate, Fault, Unstorable, judge, unavailable

__all__ = ["Lane", "Thread"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

PATIENCE = 1.8
"""Seconds after which a caller is told that the database does not answer."""

Outcomes = Sequence[ResultT | BaseException]
Apply = Callable[[Connection, Sequence[ItemT]], Outcomes[ResultT]]


class Thread:
    """One thread that runs what it is given, in order.

    It is a daemon: a database that neither answers nor hangs up must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], ResultT]) -> ResultT:
        """Run ``job`` in the thread and give its result."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def close(self) -> None:
        """Let the thread end after what it has been given. Does not wait."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            try:
                result, error = job(), None
            except Exception as exc:  # noqa: BLE001  it belongs to whoever gave the job
                result, error = None, exc
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                future.get_loop().call_soon_threadsafe(_answer, future, result, error)


def _answer(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Lane(Generic[ItemT, ResultT]):
    """Takes items one by one and applies them together, each batch in one transaction.

    Args:
        thread: where it works. Lanes that share a thread take turns.
        engine: whose connections it uses.
        apply: does a batch on a connection and gives one result per item, in order. A result that is an exception
            is raised in that item's caller; such an item must not have written anything. It may be called
            again with the same items after a rollback.
        where: the database's address, without its password, for errors.

    If some item cannot be written, the batch is rolled back and its items are done again one by one, so that the
    fault concerns nobody else.
    """

    def __init__(self, thread: Thread, engine: Engine, apply: Apply[ItemT, ResultT], *, where: str) -> None:
        self._thread = thread
        self._engine = engine
        self._apply = apply
        self._where = where
        self._batcher: Batcher[tuple[ItemT, float], ResultT] = Batcher(self._send)

    async def submit(self, item: ItemT) -> ResultT:
        """Have ``item`` applied and give its result, after the commit.

        Raises:
            Duplicate: a constraint of the database forbids it.
            Unstorable: the database cannot hold a value of it.
            BackendUnavailable: the database cannot be reached or does not answer in time.
        """
        try:
            async with patience(PATIENCE):
                return await self._batcher.submit((item, time.monotonic() + PATIENCE))
        except TimeoutError:
            raise self._silent() from None

    def _silent(self) -> BackendUnavailable:
        return BackendUnavailable(f"the database at {self._where} does not answer")

    async def close(self) -> None:
        """Wait until all that was submitted is done, if the database answers."""
        with suppress(TimeoutError):
            async with patience(PATIENCE):
                await self._batcher.close()

    async def _send(self, entries: Sequence[tuple[ItemT, float]]) -> Outcomes[ResultT]:
        return await self._thread.run(lambda: self._for_those_who_wait(entries))

    def _for_those_who_wait(self, entries: Sequence[tuple[ItemT, float]]) -> Outcomes[ResultT]:
        """Do what somebody still waits for: other lanes may have held the thread up."""
        now = time.monotonic()
        living = [item for item, until in entries if until > now]
        results = iter(self._together(living, max(until for _, until in entries)) if living else ())
        return [next(results) if until > now else self._silent() for _, until in entries]

    def _together(self, items: Sequence[ItemT], until: float) -> Outcomes[ResultT]:
        try:
            return self._transact(items, until)
        except (Duplicate, Unstorable) as exc:
            return [exc] if len(items) == 1 else self._one_by_one(items, until)

    def _one_by_one(self, items: Sequence[ItemT], until: float) -> Outcomes[ResultT]:
        results: list[ResultT | BaseException] = []
        for item in items:
            try:
                results += self._transact([item], until)
            except (Duplicate, Unstorable) as exc:
                results.append(exc)
            except BackendUnavailable as exc:  # the rest would only wait for the same
                return [*results, *[exc] * (len(items) - len(results))]
        return results

    def _transact(self, items: Sequence[ItemT], until: float) -> Outcomes[ResultT]:
        give_up = time.monotonic() + PATIENCE
        lost_before = False
        while True:
            fault, error = Fault.UNAVAILABLE, None
            try:
                return self._attempt(items, until)
            except _TooLate:
                raise self._silent() from None
            except _Uncertain as exc:
                error = exc.error
            except Exception as exc:  # noqa: BLE001  judged below; nothing of a driver may leave
                fault, error = judge(exc), exc
            if fault is Fault.DUPLICATE:
                raise Duplicate from None
            if fault is Fault.UNSTORABLE:
                raise Unstorable from None
            again = fault is Fault.REPEAT or (fault is Fault.LOST and not lost_before)
            if not again or time.monotonic() > give_up:
                raise unavailable(error, self._where) from error
            lost_before = fault is Fault.LOST

    def _attempt(self, items: Sequence[ItemT], until: float) -> Outcomes[ResultT]:
        with self._engine.connect() as connection:
            transaction = connection.begin()
            results = self._apply(connection, items)
            if time.monotonic() > until:  # all have been told that it was not done, so it must not be
                transaction.rollback()
                raise _TooLate
            try:
                transaction.commit()
            except Exception as exc:
                if judge(exc) is Fault.LOST:  # it may have been committed: doing it again could do it twice
                    raise _Uncertain(exc) from exc
                raise
            return results


class _Uncertain(Exception):
    """The connection was lost during the commit."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _TooLate(Exception):
    """A lock was waited for until nobody waited for the result any more."""
