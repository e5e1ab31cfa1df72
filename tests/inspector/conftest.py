"""Gateways in the test's process, on each backend, and a provider that can be told to misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging

from tests.servers import GatewayBackend
from tests.support.gateway_in_process import InnerGateway, open_gateway


@pytest.fixture
def on_backend(backend: GatewayBackend, environment: pytest.MonkeyPatch) -> GatewayBackend:
    """Gateways of this test keep everything on ``backend``."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    if backend.name == "postgres":
        from latchpin_sql_store.migrate import upgrade_database

        upgrade_database(backend.environment["DATABASE_URL"])
    return backend


@pytest.fixture
async def pair(on_backend: GatewayBackend) -> AsyncIterator[tuple[InnerGateway, InnerGateway]]:
    """Two processes' gateways over one store, behind one address."""
    async with open_gateway() as one, open_gateway() as two:
        yield one, two
    tear_down_logging()


@pytest.fixture
def read_log(tmp_path: Path, environment: pytest.MonkeyPatch) -> Callable[[], str]:
    return (tmp_path / "logs" / "mcpgateway.log").read_text
