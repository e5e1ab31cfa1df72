"""The SQL store passes the shipped suites through PgBouncer in transaction mode, four processes included."""

import pytest
from latchpin_sql_store.migrate import upgrade_database
from latchpin_testing import SharedRecordStoreContract, SharedStateStoreContract

from tests.sql_store.suites import OnMigrated, Records, States


@pytest.fixture(scope="module")
def migrated(postgres, pgbouncer) -> str:
    """One database for all of them, migrated through PgBouncer too."""
    url = pgbouncer.url(postgres.create_database())
    upgrade_database(url)
    return url


class TestStatesThroughPgbouncer(OnMigrated, States, SharedStateStoreContract):
    pass


class TestRecordsThroughPgbouncer(OnMigrated, Records, SharedRecordStoreContract):
    pass
