"""The gateway in the test's process with a provider that misbehaves; see ``tests.callback``."""

from __future__ import annotations

import pytest

from tests.callback.conftest import environment, gateway, provider
from tests.faults.connections import Connected, connect

__all__ = ["connected", "environment", "gateway", "provider"]


@pytest.fixture
async def connected(gateway, provider) -> Connected:
    return await connect(gateway, provider)
