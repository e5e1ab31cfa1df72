"""The SQL store passes the shipped suites on MariaDB too, the races of four processes among them."""

import pytest
from latchpin_sql_store.migrate import upgrade_database
from latchpin_testing import SharedRecordStoreContract, SharedStateStoreContract

from tests.servers.databases import MariadbServer
from tests.sql_store.test_contracts import OnMigrated, Records, States


@pytest.fixture(scope="module")
def migrated(mariadb: MariadbServer) -> str:
    """One database for all of them."""
    url = mariadb.create_database()
    upgrade_database(url)
    return url


class TestStatesOnMariadb(OnMigrated, States, SharedStateStoreContract):
    pass


class TestRecordsOnMariadb(OnMigrated, Records, SharedRecordStoreContract):
    pass
