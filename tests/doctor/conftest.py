"""A gateway in the test's process on the backend of the run, and doctor beside it as in another process."""

from __future__ import annotations

import pytest

from tests.servers import GatewayBackend


@pytest.fixture
def settings(environment: pytest.MonkeyPatch, backend: GatewayBackend) -> pytest.MonkeyPatch:
    """What a gateway on this backend has set, its schema made; a test changes what it wants."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    if "DATABASE_URL" in backend.environment:
        from latchpin_sql_store.migrate import upgrade_database

        upgrade_database(backend.environment["DATABASE_URL"])
    return environment
