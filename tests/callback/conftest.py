"""The gateway in the test's process, and a provider that can be told to misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging

from tests.callback.gateway import ADMIN, SECRET, USER_HEADER, InnerGateway, open_gateway
from tests.providers import FaultSwitch, start_fault_switch


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What every gateway here has set; a test may change it before it asks for ``gateway``."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "CACHE_TYPE": "memory",
        "RECORD_STORE": "memory",
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "ADMIN_EMAILS": ADMIN,
        "TRUSTED_USER_HEADER": USER_HEADER,
        "TRUSTED_PROXIES": "127.0.0.1",
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        "OAUTH_REQUEST_TIMEOUT": "60",
        "OAUTH_MAX_RETRIES": "0",
        "OAUTH_CALLBACK_WAIT_SECONDS": "0",
        "LOG_LEVEL": "DEBUG",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened
    tear_down_logging()


@pytest.fixture
def provider() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
def log(tmp_path: Path, environment: pytest.MonkeyPatch):
    """Reads what the gateway logged so far."""
    return (tmp_path / "logs" / "mcpgateway.log").read_text
