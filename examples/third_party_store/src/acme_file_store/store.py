"""Texts in one file, kept with nothing but Python's own sqlite3: a write lock makes each step atomic."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from latchpin.errors import BackendUnavailable

ResultT = TypeVar("ResultT")
TABLE = "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class FileKeyValue:
    """Implements ``latchpin_key_value.KeyValue`` in ``file``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def get(self, key: str) -> str | None:
        """Read a row."""
        return await self._run(lambda database: _value(database, key))

    async def swap(self, key: str, old: str | None, new: str | None, *, expires_at: datetime | None = None) -> bool:
        """Compare and write under the lock. The file forgets nothing by itself, so ``expires_at`` is not needed."""
        del expires_at

        def compare(database: sqlite3.Connection) -> bool:
            database.execute("BEGIN IMMEDIATE")  # one writer at a time, in all processes
            if _value(database, key) != old:
                return False
            database.execute("DELETE FROM entries WHERE key = ?", [key])
            if new is not None:
                database.execute("INSERT INTO entries VALUES (?, ?)", [key, new])
            return True

        return await self._run(compare)

    async def scan(self, begin: str, end: str, *, limit: int | None = None) -> Sequence[tuple[str, str]]:
        """Read a range of the primary key."""
        query = "SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        span = [begin, end, -1 if limit is None else limit]
        return await self._run(lambda database: database.execute(query, span).fetchall())

    async def _run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def transact() -> ResultT:
            with closing(sqlite3.connect(self._file, isolation_level=None, timeout=60)) as database:
                database.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not only unlinked
                with database:  # COMMIT, or ROLLBACK if work raises
                    database.execute(TABLE)
                    return work(database)

        try:
            return await asyncio.to_thread(transact)
        except sqlite3.OperationalError as exc:
            raise BackendUnavailable(f"the file {self._file}: {exc}") from exc


def _value(database: sqlite3.Connection, key: str) -> str | None:
    row = database.execute("SELECT value FROM entries WHERE key = ?", [key]).fetchone()
    return None if row is None else row[0]
