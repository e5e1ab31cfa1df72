"""States in one file, kept with nothing but Python's own sqlite3: a write lock makes each step atomic."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey
from pydantic import TypeAdapter

ResultT = TypeVar("ResultT")
TABLE = "CREATE TABLE IF NOT EXISTS states (name TEXT PRIMARY KEY, pending BLOB, ends REAL, used REAL)"
PENDING = TypeAdapter(PendingAuthorization)


class FileStateStore:
    """Implements ``latchpin.contracts.StateStore`` in ``file``."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file, self._clock = file, clock

    async def put(self, pending: PendingAuthorization) -> None:
        """Insert a row."""
        row = (_name(pending.key), PENDING.dump_json(pending), pending.expires_at.timestamp())
        try:
            await self._run(lambda database: database.execute("INSERT INTO states VALUES (?, ?, ?, NULL)", row))
        except sqlite3.IntegrityError:
            raise StateConflict("there is a row for it already") from None

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Make a tombstone of the row: without the authorization, with the time."""
        return await self._run(lambda database: self._take(database, _name(key)))

    async def purge(self, *, everything: bool = False) -> int:
        """Delete the rows that are over, or all."""
        over = (everything, self._clock().timestamp())
        return await self._run(
            lambda database: database.execute("DELETE FROM states WHERE ? OR ends <= ?", over).rowcount
        )

    async def check(self) -> None:
        """Take the write lock."""
        await self._run(lambda _: None)

    def _take(self, database: sqlite3.Connection, name: str) -> PendingAuthorization:
        now = self._clock()
        row = database.execute("SELECT pending, ends, used FROM states WHERE name = ?", [name]).fetchone()
        if row is None:
            raise StateNotFound("there is no row for it")
        if row[2] is not None:
            raise StateAlreadyUsed(used_at=datetime.fromtimestamp(row[2], now.tzinfo))
        pending = PENDING.validate_json(row[0])
        if pending.expires_at <= now:
            raise StateExpired("its time was over", expired_at=pending.expires_at)
        database.execute("UPDATE states SET pending = NULL, used = ? WHERE name = ?", [now.timestamp(), name])
        return pending

    async def _run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def transact() -> ResultT:
            with closing(sqlite3.connect(self._file, isolation_level=None, timeout=60)) as database:
                database.execute("PRAGMA secure_delete = ON")  # a used verifier is overwritten, not only unlinked
                database.execute("BEGIN IMMEDIATE")  # one writer at a time, in all processes
                with database:  # COMMIT, or ROLLBACK if work raises
                    database.execute(TABLE)
                    return work(database)

        try:
            return await asyncio.to_thread(transact)
        except sqlite3.OperationalError as exc:
            raise BackendUnavailable(f"the file {self._file}: {exc}") from exc


def _name(key: StateKey) -> str:
    return f"{key.gateway_id}:{key.state}"
