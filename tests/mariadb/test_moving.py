"""The upgrade on MariaDB, as for the other databases: the version before goes on beside it."""

from tests.sql_store.test_moving import go_on_beside


async def test_the_version_before_goes_on_beside_labels_and_shared_connections(mariadb_url):
    await go_on_beside(mariadb_url)
