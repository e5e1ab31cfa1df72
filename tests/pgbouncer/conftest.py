"""PgBouncer in transaction mode, with fewer connections to the server than there are to itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import PostgresServer
from tests.servers.pgbouncer import PgBouncer


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    bouncer = PgBouncer(postgres)
    yield bouncer
    bouncer.close()
