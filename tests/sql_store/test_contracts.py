"""The SQL store passes the shipped suites, on SQLite and on PostgreSQL."""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from latchpin.testing import RecordStoreContract, StateStoreContract
from latchpin_sql_store import plugin
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.tables import metadata


class OnSqlite:
    @pytest.fixture
    def settings(self, sqlite_url):
        return plugin.SqlSettings(database_url=sqlite_url)

    async def stored_bytes(self, store, settings):
        path = settings.database_url.get_secret_value().removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        with open(path, "rb") as file:
            return file.read()


class OnPostgres:
    @pytest.fixture
    def settings(self, database_url):
        upgrade_database(database_url)
        return plugin.SqlSettings(database_url=database_url)

    async def stored_bytes(self, store, settings):
        held = []
        with psycopg.connect(settings.database_url.get_secret_value()) as connection:
            for table in metadata.tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                    held += [bytes(block) for block in copy]
        return b"".join(held)


class States:
    @pytest.fixture
    def backend(self):
        return plugin.latchpin_state_store()


class Records:
    @pytest.fixture
    def backend(self):
        return plugin.latchpin_record_store()


class TestStatesOnSqlite(OnSqlite, States, StateStoreContract):
    pass


class TestRecordsOnSqlite(OnSqlite, Records, RecordStoreContract):
    pass


class TestStatesOnPostgres(OnPostgres, States, StateStoreContract):
    pass


class TestRecordsOnPostgres(OnPostgres, Records, RecordStoreContract):
    pass
