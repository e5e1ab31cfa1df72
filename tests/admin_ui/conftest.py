"""The whole gateway in the test's process, with the admin UI."""

from __future__ import annotations

import pytest

from tests.admin_ui.person import Person
from tests.support.gateway_in_process import ADMIN, ALICE

NEEDS = ("latchpin_admin_ui",)


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
