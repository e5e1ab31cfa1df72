"""Real clients that are given one URL and nothing else, on each store, before a gateway with two workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.front_door.clients import Programs, open_python_sdk
from tests.front_door.conftest import Behind, Opener, prove_the_whole_way
from tests.node.conftest import certified_behind
from tests.servers import GatewayBackend
from tests.servers.programs import Node
from tests.support.gateway_process import DeployedGateway, deploy_gateway, start_pair

CLIENTS: dict[str, Callable[[Programs], Opener]] = {
    "Python SDK": lambda programs: open_python_sdk,
    "FastMCP": lambda programs: programs.fastmcp,
    "TypeScript SDK 1": lambda programs: partial(programs.typescript, package="sdk"),
    "TypeScript SDK 2": lambda programs: partial(programs.typescript, package="client"),
    "mcp-remote": lambda programs: programs.mcp_remote,
    "Inspector": lambda programs: programs.inspector,
}
STORES = ("memory", "postgres", "redis", "sqlite")


def _settings(store: str, folder: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """What makes a gateway keep all in an empty store of that kind."""
    if store == "memory":
        return {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    if store == "redis":
        server = request.getfixturevalue("redis_server")
        server.flush()
        return {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": server.url}
    database = f"sqlite:///{folder}/latchpin.db"
    if store == "postgres":
        database = request.getfixturevalue("postgres").create_database()
    return {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": database}


@pytest.fixture(scope="module", params=STORES)
def workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    """Two workers, one where the store is the process's own. All clients meet the same ones: starting takes longest."""
    store, folder = request.param, tmp_path_factory.mktemp("workers")
    shared = store != "memory"
    backend = GatewayBackend(store, _settings(store, folder, request), shared=shared, label=store)
    with (start_pair if shared else deploy_gateway)(backend, folder) as started:
        yield started


@pytest.fixture(scope="module")
def behind(node: Node, packages: Path) -> Iterator[Behind]:
    """The certified server, which lets a client ask only for the scopes that it is registered with."""
    with certified_behind(node, packages) as started:
        yield started


@pytest.fixture
def programs(node: Node, packages: Path) -> Iterator[Programs]:
    with tempfile.TemporaryDirectory() as folder:  # the path of a local socket is short
        yield Programs(node, packages, Path(folder))


@pytest.mark.parametrize("client", CLIENTS)
async def test_it_gets_in_and_stays_in_until_its_person_leaves(
    workers: DeployedGateway, behind: Behind, programs: Programs, client: str
):
    await prove_the_whole_way(workers, behind, CLIENTS[client](programs), client)
