"""A server behind the gateway that can want more, and knows everybody who sits before a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from latchpin_demo import front_channel
from latchpin_demo.state import SCOPES

from tests.front_door.behind import SCOPE_TO_WRITE, Behind, demo_behind
from tests.front_door.scene import PEOPLE
from tests.providers import start_fault_switch


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """It gives out a second scope, which its MCP server does not ask for at first."""
    monkeypatch.setitem(SCOPES, SCOPE_TO_WRITE, "Change things")
    monkeypatch.setattr(front_channel, "USERS", tuple(PEOPLE.values()))
    with start_fault_switch() as switch:
        yield demo_behind(switch)
