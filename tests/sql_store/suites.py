"""What the shipped suites need to know of the SQL store; on servers, one migrated database serves a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from latchpin_sql_store import plugin
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata
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
