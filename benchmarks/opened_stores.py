"""The stores by themselves, each on a backend of its own, and the CPU that this process and the server spend there."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from latchpin.contracts import RecordStore, StateStore
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_memory_store.states import MemoryStateStore
from latchpin_redis_store.opening import open_commands
from latchpin_redis_store.records import RedisRecordStore
from latchpin_redis_store.settings import RedisSettings
from latchpin_redis_store.states import RedisStateStore
from latchpin_sql_store.database import open_database
from latchpin_sql_store.records import SqlRecords
from latchpin_sql_store.states import SqlStates

from tests.servers import PostgresServer, RedisServer

__all__ = ["NAMES", "Opened", "Place", "open_stores", "place_of"]

NAMES = "memory,sqlite,redis,postgres"
_WITHOUT_END = 10**9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a backend is.

    Attributes:
        url: as DATABASE_URL or REDIS_URL takes it; empty for memory.
        server: the folder that every process of its server works in; None where there is none.
    """

    url: str = ""
    server: Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The two stores of a backend."""

    states: StateStore
    records: RecordStore
    place: Place

    def cpu(self) -> float:
        """Seconds of CPU that this process and the server have spent so far."""
        return time.process_time() + (0.0 if self.place.server is None else _cpu_below(self.place.server))


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@contextlib.contextmanager
def place_of(name: str) -> Iterator[Place]:
    """Start what ``name`` needs."""
    if name == "postgres":
        with contextlib.closing(PostgresServer()) as server:
            yield Place(server.create_database(), server.folder)
    elif name == "redis":
        with contextlib.closing(RedisServer()) as server:
            server.start()
            yield Place(server.url, server.folder)
    elif name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield Place(f"sqlite:///{folder}/mcp.db")
    else:
        yield Place()


@contextlib.asynccontextmanager
async def open_stores(place: Place) -> AsyncIterator[Opened]:
    """Open both stores there."""
    if not place.url:
        yield Opened(MemoryStateStore(now, limit=_WITHOUT_END), MemoryRecordStore(now), place)
    elif place.url.startswith("redis"):
        async with open_commands(RedisSettings(redis_url=place.url)) as commands:
            names = {"clock": now, "instance_id": "benchmark"}
            yield Opened(RedisStateStore(commands, **names), RedisRecordStore(commands, **names), place)
    else:
        async with open_database(place.url) as database:
            yield Opened(SqlStates(database, now), SqlRecords(database, now), place)


def _cpu_below(folder: Path) -> float:
    return sum(
        _cpu(process) for process in Path("/proc").iterdir() if process.name.isdigit() and _is_in(process, folder)
    )


def _is_in(process: Path, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return (process / "cwd").resolve().is_relative_to(folder)
    return False


def _cpu(process: Path) -> float:
    with contextlib.suppress(OSError):
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
