"""The whole gateway in the test's process, with the admin UI; see ``tests.callback``."""

from __future__ import annotations

import pytest

from tests.admin_ui.person import Person
from tests.callback.conftest import environment, gateway, provider
from tests.callback.gateway import ADMIN, ALICE
from tests.faults.connections import Connected, connect

NEEDS = ("latchpin_admin_ui",)

__all__ = ["admin", "alice", "connected", "environment", "gateway", "provider"]


@pytest.fixture
async def connected(gateway, provider) -> Connected:
    """Alice is connected to one gateway."""
    return await connect(gateway, provider)


@pytest.fixture
async def admin(gateway):
    """An administrator's browser."""
    async with Person.visiting(gateway, ADMIN) as person:
        yield person


@pytest.fixture
async def alice(gateway):
    """The browser of somebody who is no administrator."""
    async with Person.visiting(gateway, ALICE) as person:
        yield person
