"""The gateway in the test's process with a provider that misbehaves, and counts of its own for each test."""

from __future__ import annotations

import pytest
from latchpin_metrics import meters as module

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def environment(environment):
    module.meters.cache_clear()
    environment.setenv("METRICS_TOKEN", TOKEN)
    yield environment
    module.meters.cache_clear()
