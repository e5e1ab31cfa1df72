"""What the two stores of a process share: the engines, the threads, and the lane of each kind of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from latchpin.errors import LatchpinError, RecordConflict
from latchpin.sdk.stores import store_deadline
from sqlalchemy import Connection, Engine, event

from latchpin_sql_store.acceptance import ensure_schema
from latchpin_sql_store.engine import build_engine, parse_url, show_url, sqlite_file
from latchpin_sql_store.faults import Duplicate, Unstorable
from latchpin_sql_store.file_identity import PinnedFile
from latchpin_sql_store.kept_connection import KeptConnection
from latchpin_sql_store.schema import look_revision
from latchpin_sql_store.threads import Thread
from latchpin_sql_store.write_queue import PATIENCE, Apply, ItemT, Outcomes, ResultT, WriteQueue

__all__ = ["Database", "Script", "open_database"]

AnyT = TypeVar("AnyT")


@dataclass(frozen=True, slots=True)
class Script:
    """Statements that one caller wants run in a transaction; a LatchpinError before the first write refuses it.

    Attributes:
        place: names the rows it writes, gateway first. Transactions take their locks in this order, so that two
            processes do not wait for each other.
        run: does it.
        same: reads with an equal name give the same, so that one of a batch serves them all; None: nothing else does.
    """

    place: tuple[str, ...]
    run: Callable[[Connection], object]
    same: tuple[str, ...] | None = None


class Database:
    """One database, opened: reads go through one thread, everything that writes through another.

    Two threads, because a read need not wait for a commit; not more, because a batch makes up for them and
    SQLite has one writer anyway.
    """

    def __init__(self, url_text: str) -> None:
        url = parse_url(url_text)
        self.where = show_url(url)
        self._url = url
        self._read_engine = build_engine(url, "read")
        self._write_engine = build_engine(url, "write")
        self._reader = _start("latchpin-sql-reader", self._read_engine)
        self._writer = _start("latchpin-sql-writer", self._write_engine)
        self._file = PinnedFile(sqlite_file(url))
        self._of_reader, self._of_writer = KeptConnection(self._read_engine), KeptConnection(self._write_engine)
        self._lanes: list[WriteQueue[Any, Any]] = []
        self._reads: WriteQueue[Script, object] = self.read_lane(_run_reads)
        self._writes = self.write_lane(_run_scripts)

    def write_lane(self, apply: Apply[ItemT, ResultT]) -> WriteQueue[ItemT, ResultT]:
        """Make one more lane through the writer thread."""
        return self._lane(self._writer, self._of_writer, apply)

    def read_lane(self, apply: Apply[ItemT, ResultT]) -> WriteQueue[ItemT, ResultT]:
        """Make one more lane through the reader thread."""
        return self._lane(self._reader, self._of_reader, apply)

    def _lane(self, thread: Thread, kept: KeptConnection, apply: Apply[ItemT, ResultT]) -> WriteQueue[ItemT, ResultT]:
        lane = WriteQueue(thread, kept, apply, where=self.where, guard=self._file.check)
        self._lanes.append(lane)
        return lane

    async def read(
        self, run: Callable[[Connection], AnyT], *, absent: AnyT, same: tuple[str, ...] | None = None
    ) -> AnyT:
        """Run one SELECT; what no row can hold is ``absent``. See ``Script`` for ``same``.

        Raises:
            BackendUnavailable: the database cannot be asked.
        """
        try:
            return await self._reads.submit(Script((), run, same))  # type: ignore[return-value]  # run's own
        except Unstorable:
            return absent

    async def write(self, *place: str, run: Callable[[Connection], AnyT]) -> AnyT:
        """Run statements in a transaction; see ``Script``.

        Raises:
            RecordConflict: a constraint forbids them.
            Unstorable: a value does not fit the database.
            BackendUnavailable: nothing is known to have been written.
        """
        try:
            return await self._writes.submit(Script(place, run))  # type: ignore[return-value]  # run's own
        except Duplicate:
            raise RecordConflict("it exists already, or its gateway is gone") from None

    async def open(self, *, diagnostic: bool = False) -> None:
        """Make sure that the schema is the one we work with; with ``diagnostic`` without changing it.

        Raises:
            SchemaOutdated: it is not, and is not ours to change.
            BackendUnavailable: the database cannot be reached.
        """
        await self._reader.run(lambda: self._open(diagnostic=diagnostic))

    def _open(self, *, diagnostic: bool) -> None:
        ensure_schema(self._url, self._read_engine, self.where, diagnostic=diagnostic)
        if sqlite_file(self._url) is not None:
            look_revision(self._read_engine, self.where)  # while its connection is open, the neighbours are there
            self._file.pin()

    async def close(self) -> None:
        """Finish what was begun and hang up; a database that does not answer is not waited for."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))
        await asyncio.gather(_end(self._reader, self._of_reader), _end(self._writer, self._of_writer))


def _start(name: str, engine: Engine) -> Thread:
    """Start a thread that hears each answer that ``engine`` gets."""
    thread = Thread(name)
    event.listen(engine, "after_cursor_execute", thread.heard)
    return thread


async def _end(thread: Thread, kept: KeptConnection) -> None:
    with suppress(TimeoutError):
        async with store_deadline(PATIENCE, thread.silence()):
            await thread.run(kept.dispose)
    thread.close()


@asynccontextmanager
async def open_database(url_text: str, *, diagnostic: bool = False) -> AsyncIterator[Database]:
    """Open the database of DATABASE_URL and close it at the end; ``diagnostic`` leaves its schema alone.

    Raises:
        SettingsError: the URL does not hold, or its driver is missing.
        SchemaOutdated: the schema is not the one this version works with.
        BackendUnavailable: the database cannot be reached.
    """
    database = Database(url_text)
    try:
        await database.open(diagnostic=diagnostic)
        yield database
    finally:
        await database.close()


def _run_reads(connection: Connection, scripts: Sequence[Script]) -> Outcomes[object]:
    """Of those that ask the same, run one: a thousand callers of one gateway then cost one SELECT."""
    first: dict[object, int] = {}
    chosen = [
        first.setdefault(index if script.same is None else script.same, index) for index, script in enumerate(scripts)
    ]
    distinct = sorted(set(chosen))
    results = dict(zip(distinct, _run_scripts(connection, [scripts[index] for index in distinct]), strict=True))
    return [results[index] for index in chosen]


def _run_scripts(connection: Connection, scripts: Sequence[Script]) -> Outcomes[object]:
    results: dict[int, object] = {}
    for index, script in sorted(enumerate(scripts), key=lambda entry: entry[1].place):
        try:
            results[index] = script.run(connection)
        except LatchpinError as exc:
            results[index] = exc
    return [results[index] for index in range(len(scripts))]
