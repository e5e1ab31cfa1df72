"""One gateway for each test, on the backend that the run names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.rig import Rig, start_rig
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend


@pytest.fixture
def rig(backend: GatewayBackend, tmp_path: Path) -> Iterator[Rig]:
    with start_rig(backend, tmp_path) as started:
        yield started


@pytest.fixture
def fault_switch() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch
