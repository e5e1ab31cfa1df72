"""A gateway in the test's process on the backend of the run, and doctor beside it as in another process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from latchpin.plugins.host import Plugins
from latchpin_doctor.examination import open_examination
from latchpin_doctor.report import Report
from latchpin_doctor.running import examine

from tests.callback.conftest import environment, provider
from tests.servers import GatewayBackend

__all__ = ["environment", "provider"]


@pytest.fixture
def settings(environment: pytest.MonkeyPatch, backend: GatewayBackend) -> pytest.MonkeyPatch:
    """What a gateway on this backend has set, its schema made; a test changes what it wants."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    if "DATABASE_URL" in backend.environment:
        from latchpin_sql_store.migrate import upgrade_database

        upgrade_database(backend.environment["DATABASE_URL"])
    return environment


@pytest.fixture
def diagnose() -> Callable[..., Report]:
    """Runs doctor with the settings as they are now."""

    async def run(**options) -> Report:
        async with open_examination(Plugins(), **options) as examination:
            return await examine(examination)

    return run
