"""Real clients that are given one URL and nothing else, before a gateway with two workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.front_door.conftest import upstream
from tests.front_door.programs import Programs
from tests.front_door.scene import Opener, prove_the_end, prove_ways_back
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend
from tests.servers.programs import Node
from tests.support.gateway_process import DeployedGateway, start_pair

__all__ = ["upstream"]

CLIENTS: dict[str, Callable[[Programs], Opener]] = {
    "FastMCP": lambda programs: programs.fastmcp,
    "TypeScript SDK 1": lambda programs: partial(programs.typescript, package="sdk"),
    "TypeScript SDK 2": lambda programs: partial(programs.typescript, package="client"),
    "mcp-remote": lambda programs: programs.mcp_remote,
    "Inspector": lambda programs: programs.inspector,
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    """Two workers that share an SQLite file."""
    folder = tmp_path_factory.mktemp("pair")
    settings = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": f"sqlite:///{folder}/latchpin.db"}
    with start_pair(GatewayBackend("sqlite", settings, shared=True, label="database"), folder) as started:
        yield started


@pytest.fixture
def programs(node: Node, packages: Path) -> Iterator[Programs]:
    with tempfile.TemporaryDirectory() as folder:  # the path of a local socket is short
        yield Programs(node, packages, Path(folder))


@pytest.mark.parametrize("client", CLIENTS)
async def test_it_gets_in_and_finds_back_in(
    pair: DeployedGateway, upstream: FaultSwitch, programs: Programs, client: str
):
    await prove_ways_back(pair, upstream, CLIENTS[client](programs))


async def test_all_come_to_an_end_when_their_person_leaves(
    pair: DeployedGateway, upstream: FaultSwitch, programs: Programs
):
    await prove_the_end(pair, upstream, *(client(programs) for client in CLIENTS.values()))
