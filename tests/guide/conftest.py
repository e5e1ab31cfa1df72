"""A provider, and a gateway with a shell in its folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.guide.gateway import InnerStage, Stage, open_inner_stage, open_stage
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend


@pytest.fixture
def provider() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
def way() -> str:
    """The real programs where the machine has them; a test that tries both is parametrized."""
    return "installed"


@pytest.fixture
def stage(backend: GatewayBackend, tmp_path: Path, provider: FaultSwitch, way: str) -> Iterator[Stage]:
    with open_stage(backend, tmp_path, provider, way=way) as opened:
        yield opened


@pytest.fixture
async def inner(
    backend: GatewayBackend, tmp_path: Path, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch, way: str
) -> AsyncIterator[InnerStage]:
    async with open_inner_stage(backend, tmp_path, provider, monkeypatch, way) as opened:
        yield opened
