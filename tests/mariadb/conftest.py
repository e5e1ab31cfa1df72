"""One MariaDB for all tests of this folder, and an empty database for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import GatewayBackend
from tests.servers.databases import MariadbServer


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    server = MariadbServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def url(mariadb: MariadbServer) -> str:
    """Of an empty database, as DATABASE_URL takes it."""
    return mariadb.create_database()


@pytest.fixture
def gateway_backend(url: str) -> GatewayBackend:
    """What makes a gateway run on that database."""
    settings = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": url}
    return GatewayBackend("mariadb", settings, shared=True, label="database")
