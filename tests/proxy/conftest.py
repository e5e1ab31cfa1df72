"""One gateway process with the MCP endpoint, for all tests of a file; each test adds its own gateways to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.providers import FaultSwitch, start_fault_switch
from tests.proxy.scripted import ScriptedServer, start_scripted
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE, Rig, start_rig

NEEDS = ("latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")


def start_proxy(folder: Path, **settings: str) -> AbstractContextManager[Rig]:
    """Serve a gateway with the endpoint; ``settings`` come on top."""
    environment = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    memory = GatewayBackend("memory", environment, shared=False, label="memory")
    return start_rig(memory, folder, PROXY_HELD_BYTES="65536", PROXY_MAX_REQUEST_BYTES="50000000", **settings)


async def open_endpoint(proxy: Rig, scripted: ScriptedServer) -> str:
    """The endpoint of a gateway without OAuth before the scripted server."""
    return f"{proxy.url}/gateways/{await proxy.add(scripted.url, auth_type='none')}/mcp"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with start_proxy(Path(tmp_path_factory.mktemp("gateway"))) as rig:
        yield rig


@pytest.fixture
def fault_switch() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with start_scripted() as server:
        yield server


@pytest.fixture
async def opened(proxy: Rig, scripted: ScriptedServer) -> str:
    return await open_endpoint(proxy, scripted)


@pytest.fixture
async def alice(proxy: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's program."""
    async with proxy.api(ALICE) as client:
        yield client
