"""The SQL store passes the shipped suites through PgBouncer in transaction mode, four processes included."""

from collections.abc import Iterator

import pytest
from latchpin_sql_store import plugin
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata
from latchpin_testing import SharedRecordStoreContract, SharedStateStoreContract
from sqlalchemy import Engine


@pytest.fixture(scope="module")
def migrated(postgres, pgbouncer) -> str:
    """One database for all of them, migrated through PgBouncer too."""
    url = pgbouncer.url(postgres.create_database())
    upgrade_database(url)
    return url


@pytest.fixture(scope="module")
def engine(migrated: str) -> Iterator[Engine]:
    engine = build_engine(parse_url(migrated), "write")
    yield engine
    engine.dispose()


class ThroughPgbouncer:
    @pytest.fixture
    def settings(self, migrated, engine):
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        return SqlSettings(database_url=migrated)

    async def stored_bytes(self, store, settings):
        engine = build_engine(parse_url(settings.database_url.get_secret_value()), "read")
        with engine.connect() as connection:
            rows = [row for table in metadata.tables.values() for row in connection.execute(table.select())]
        engine.dispose()
        return repr(rows).encode()


class TestStatesThroughPgbouncer(ThroughPgbouncer, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class TestRecordsThroughPgbouncer(ThroughPgbouncer, SharedRecordStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
