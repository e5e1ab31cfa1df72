"""What the tests of tokens begin with: a rotating server, and workers on one store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import GatewayBackend, run_latchpin, serve_asgi
from tests.support.gateway_in_process import MovedClock
from tests.support.gateway_process import settings_of
from tests.token_refresh.refreshing import RotatingServer


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def server() -> RotatingServer:
    return RotatingServer()


@pytest.fixture
def origin(server: RotatingServer) -> Iterator[str]:
    with serve_asgi(server, lifespan="off") as url:
        yield url


@pytest.fixture
def settings(backend: GatewayBackend, tmp_path) -> dict[str, str]:
    """The environment of every worker on this test's store, which is there and has its tables."""
    found = settings_of(backend) | {"OAUTH_REQUEST_TIMEOUT": "60", "OAUTH_MAX_RETRIES": "0"}
    if backend.name == "postgres":
        upgraded = run_latchpin("db", "upgrade", env=found, cwd=tmp_path)
        assert upgraded.returncode == 0, upgraded.stderr
    return found
