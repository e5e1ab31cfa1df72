"""One world for each cell: a store, and a provider beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from latchpin.logs import tear_down_logging

from tests.causes.world import World
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend


@pytest.fixture(scope="module")
def switch():
    with start_fault_switch() as started:
        yield started


@pytest.fixture
async def world(
    backend: GatewayBackend,
    switch: FaultSwitch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[World]:
    switch.heal()
    switch.forget()
    fixture = {"postgres": "postgres", "redis": "redis_server"}.get(backend.name)
    servers = {} if fixture is None else {backend.name: request.getfixturevalue(fixture)}
    opened = World(backend, switch, tmp_path, monkeypatch, servers)
    async with opened.stack:
        yield opened
    tear_down_logging()
