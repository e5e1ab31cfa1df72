"""The gateway in the test's process with a provider that misbehaves, and counts of its own for each test."""

from __future__ import annotations

import pytest
from latchpin_metrics import meters as module

from tests.callback.conftest import environment as bare_environment
from tests.connections.conftest import connected, gateway, provider

__all__ = ["bare_environment", "connected", "environment", "gateway", "provider"]

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def environment(bare_environment):
    module.meters.cache_clear()
    bare_environment.setenv("METRICS_TOKEN", TOKEN)
    yield bare_environment
    module.meters.cache_clear()
