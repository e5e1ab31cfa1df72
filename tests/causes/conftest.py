"""One world for each cell: a store, and a provider beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging

from tests.causes.situation import Row, World
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells that cannot be; the page says why."""
    gone = {item for item in items if (call := getattr(item, "callspec", None)) and _cannot_be(call.params)}
    if gone:
        config.hook.pytest_deselected(items=list(gone))
        items[:] = [item for item in items if item not in gone]


def _cannot_be(params: dict[str, object]) -> bool:
    row = params.get("row")
    return isinstance(row, Row) and params.get("backend") in row.impossible


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
