"""The SQL store passes the shipped suites, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from latchpin_sql_store import plugin, write_queue
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata
from latchpin_testing import (
    CheapCountContract,
    SharedRecordStoreContract,
    SharedStateStoreContract,
    StoreWitnessContract,
)
from sqlalchemy import Connection


class States:
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class Records:
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()


class OnMigrated:
    """Empties the database that the fixture ``migrated`` names: to migrate one takes longer than most tests."""

    @pytest.fixture
    def settings(self, migrated):
        with _connected(migrated, "write") as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        return SqlSettings(database_url=migrated)

    async def stored_bytes(self, store, settings):
        with _connected(settings.database_url.get_secret_value(), "read") as connection:
            rows = [row for table in metadata.tables.values() for row in connection.execute(table.select())]
        return repr(rows).encode()


@contextmanager
def _connected(url: str, purpose: Literal["read", "write"]) -> Iterator[Connection]:
    engine = build_engine(parse_url(url), purpose)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right answers are asked for here, and may come late; that callers hear in time is tested in ``test_faults``."""
    monkeypatch.setattr(write_queue, "PATIENCE", 60)


class OnSqlite:
    @pytest.fixture
    def settings(self, sqlite_url):
        return SqlSettings(database_url=sqlite_url)

    async def stored_bytes(self, store, settings):
        path = settings.database_url.get_secret_value().removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        return await asyncio.to_thread(Path(path).read_bytes)


class OnPostgres(OnMigrated):
    @pytest.fixture
    def migrated(self, migrated_postgres):
        return migrated_postgres

    async def stored_bytes(self, store, settings):
        held = []
        with psycopg.connect(settings.database_url.get_secret_value()) as connection:
            for table in metadata.tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                    held += [bytes(block) for block in copy]
        return b"".join(held)


class TestStatesOnSqlite(OnSqlite, States, SharedStateStoreContract):
    pass


class TestRecordsOnSqlite(OnSqlite, Records, CheapCountContract, SharedRecordStoreContract):
    pass


class TestStatesOnPostgres(OnPostgres, States, SharedStateStoreContract):
    pass


class TestRecordsOnPostgres(OnPostgres, Records, CheapCountContract, SharedRecordStoreContract):
    pass


class TestWitnessOnSqlite(OnSqlite, States, StoreWitnessContract):
    pass


class TestWitnessOnPostgres(OnPostgres, States, StoreWitnessContract):
    pass
