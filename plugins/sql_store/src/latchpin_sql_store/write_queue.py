"""The queues by which callers get their work into the threads where transactions run.

One lane gathers what waits while a transaction is under way and does it all in the next one: under load a
commit, the dear part, serves many callers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Generic, TypeVar

from latchpin.errors import BackendUnavailable, LatchpinError
from latchpin.sdk.stores import Batcher, store_deadline
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from latchpin_sql_store.faults import Duplicate, Fault, Unstorable, judge, unavailable
from latchpin_sql_store.kept_connection import KeptConnection
from latchpin_sql_store.threads import Thread

__all__ = ["WriteQueue"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

PATIENCE = 1.8
"""Seconds of the database's silence after which a caller is told that it does not answer."""
ATTEMPTS = 2
"""At least so many times a transaction is tried that may be repeated, however late a pause of the process made it."""

Outcomes = Sequence[ResultT | BaseException]
Apply = Callable[[Connection, Sequence[ItemT]], Outcomes[ResultT]]


@dataclass(slots=True, eq=False)
class _Entry(Generic[ItemT]):
    """An item that somebody waits for. It is settled or gone, whichever was first.

    Attributes:
        item: what is to be applied.
        settled: its commit has begun.
        gone: its caller was told that it was not done, so it must not be.
    """

    item: ItemT
    settled: bool = False
    gone: bool = False


class WriteQueue(Generic[ItemT, ResultT]):
    """Takes items one by one and applies them together, each batch in one transaction.

    Args:
        thread: where it works. Lanes that share a thread take turns.
        kept: the thread's connection.
        apply: does a batch on a connection and gives one result per item, in order. A result that is an exception
            is raised in that item's caller; such an item must not have written anything. It may be called
            again with the same items after a rollback.
        where: the database's address, without its password, for errors.
        guard: is called before a transaction begins and before it commits, and raises what forbids it.

    If some item cannot be written, the batch is rolled back and its items are done again one by one, so that the
    fault concerns nobody else.

    A caller is told that the database does not answer when the database was asked and has answered nobody for
    ``PATIENCE``. Waiting for one's turn is not that, however long it takes.
    """

    def __init__(
        self,
        thread: Thread,
        kept: KeptConnection,
        apply: Apply[ItemT, ResultT],
        *,
        where: str,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self._thread = thread
        self._kept = kept
        self._apply = apply
        self._where = where
        self._guard = guard
        self._settling = threading.Lock()
        self._batcher: Batcher[_Entry[ItemT], ResultT] = Batcher(self._send)

    async def submit(self, item: ItemT) -> ResultT:
        """Have ``item`` applied and give its result, after the commit.

        Raises:
            Duplicate: a constraint of the database forbids it.
            Unstorable: the database cannot hold a value of it.
            BackendUnavailable: the database cannot be reached or does not answer in time.
        """
        entry = _Entry(item)
        try:
            async with store_deadline(PATIENCE, self._thread.silence()):
                return await self._batcher.submit(entry)
        except TimeoutError:
            with self._settling:
                entry.gone = not entry.settled
            raise self._silent("" if entry.gone else "; what it was asked may have been done") from None

    def _silent(self, more: str = "") -> BackendUnavailable:
        return BackendUnavailable(f"the database at {self._where} does not answer{more}")

    async def close(self) -> None:
        """Wait until all that was submitted is done, if the database answers."""
        with suppress(TimeoutError):
            async with store_deadline(PATIENCE, self._thread.silence()):
                await self._batcher.close()

    async def _send(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        return await self._thread.run(lambda: self._for_those_who_wait(entries))

    def _for_those_who_wait(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        """Do what somebody still waits for, and all of it again if one of them goes meanwhile."""
        while True:
            waited_for = [not entry.gone for entry in entries]
            living = list(compress(entries, waited_for))
            try:
                results = iter(self._together(living) if living else ())
            except _Gone:
                continue
            return [next(results) if waits else self._silent() for waits in waited_for]

    def _together(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        try:
            return self._transact(entries)
        except (Duplicate, Unstorable) as exc:
            return [exc] if len(entries) == 1 else self._one_by_one(entries)

    def _one_by_one(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        results: list[ResultT | BaseException] = []
        for entry in entries:
            try:
                results += self._transact([entry])
            except (Duplicate, Unstorable) as exc:
                results.append(exc)
            except _Gone:
                results.append(self._silent())
            except BackendUnavailable as exc:  # the rest would only wait for the same
                return [*results, *[exc] * (len(entries) - len(results))]
        return results

    def _transact(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        give_up, attempts, lost_before = time.monotonic() + PATIENCE, 0, False
        while True:
            fault, error, attempts = Fault.UNAVAILABLE, None, attempts + 1
            try:
                return self._attempt(entries)
            except (_Gone, LatchpinError):
                raise
            except _Unreached as exc:  # after a pause of this process the driver's own clock has run out, wrongly
                fault, error = Fault.LOST, exc.error
            except _Uncertain as exc:
                error = exc.error
            except Exception as exc:  # noqa: BLE001  judged below; nothing of a driver may leave
                fault, error = judge(exc), exc
            if fault is Fault.DUPLICATE:
                raise Duplicate from None
            if fault is Fault.UNSTORABLE:
                raise Unstorable from None
            again = fault is Fault.REPEAT or (fault is Fault.LOST and not lost_before)
            late = attempts >= ATTEMPTS and time.monotonic() > give_up
            if not again or late or all(entry.gone for entry in entries):
                raise unavailable(error, self._where) from error
            lost_before = lost_before or fault is Fault.LOST

    def _attempt(self, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        self._guard()
        connection = self._connect()
        try:
            return self._do(connection, entries)
        except BaseException:
            self._kept.give_back()
            raise

    def _do(self, connection: Connection, entries: Sequence[_Entry[ItemT]]) -> Outcomes[ResultT]:
        transaction = connection.begin()
        results = self._apply(connection, [entry.item for entry in entries])
        self._guard()
        if not self._settle(entries):
            raise _Gone
        try:
            transaction.commit()
        except Exception as exc:
            if judge(exc) is Fault.LOST:  # it may have been committed: doing it again could do it twice
                raise _Uncertain(exc) from exc
            self._unsettle(entries)
            raise
        self._thread.heard()
        return results

    def _connect(self) -> Connection:
        try:
            return self._kept.take()
        except DBAPIError as exc:
            raise _Unreached(exc) from exc

    def _settle(self, entries: Sequence[_Entry[ItemT]]) -> bool:
        """Say that these are committed now, unless one of them has gone."""
        with self._settling:
            if any(entry.gone for entry in entries):
                return False
            for entry in entries:
                entry.settled = True
            return True

    def _unsettle(self, entries: Sequence[_Entry[ItemT]]) -> None:
        with self._settling:
            for entry in entries:
                entry.settled = False


class _WithError(Exception):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Uncertain(_WithError):
    """The connection was lost during the commit."""


class _Unreached(_WithError):
    """There is no connection."""


class _Gone(Exception):
    """Somebody whose item is in the batch was told that it was not done."""
