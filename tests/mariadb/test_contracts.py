"""The SQL store passes the shipped suites on MariaDB too."""

from collections.abc import Iterator

import pytest
import sqlalchemy
from latchpin.testing import SharedRecordStoreContract, SharedStateStoreContract
from latchpin_sql_store import plugin
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata

from tests.servers.mariadb import MariadbServer


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    server = MariadbServer()
    try:
        yield server
    finally:
        server.close()


class OnMariadb:
    @pytest.fixture
    def settings(self, mariadb):
        url = mariadb.create_database()
        upgrade_database(url)
        return SqlSettings(database_url=url)

    async def stored_bytes(self, store, settings):
        url = settings.database_url.get_secret_value().replace("mariadb://", "mariadb+pymysql://")
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            rows = [row for table in metadata.tables.values() for row in connection.execute(table.select())]
        engine.dispose()
        return repr(rows).encode()


class TestStatesOnMariadb(OnMariadb, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_state_store()


class TestRecordsOnMariadb(OnMariadb, SharedRecordStoreContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
