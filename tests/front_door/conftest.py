"""A server behind the gateway that can want more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from latchpin_demo.state import SCOPES

from tests.front_door.scene import SCOPE_TO_WRITE
from tests.providers import FaultSwitch, start_fault_switch


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultSwitch]:
    """It gives out a second scope, which its MCP server does not ask for at first."""
    with start_fault_switch() as switch:
        monkeypatch.setitem(SCOPES, SCOPE_TO_WRITE, "Change things")
        yield switch
