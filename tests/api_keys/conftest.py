"""One gateway process with the MCP endpoint, before servers that want a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_keys.keyed_server import KeyedServer, start_keyed
from tests.proxy.conftest import start_proxy
from tests.support.gateway_process import DeployedGateway

NEEDS = ("latchpin_proxy", "latchpin_memory_store", "latchpin_demo")
KEY, OTHER = "sk-Alice-0123456789", "sk-Bob-9876543210"
HEADER = "X-API-Key"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_proxy(Path(tmp_path_factory.mktemp("gateway"))) as deployed:
        yield deployed


@pytest.fixture
def keyed() -> Iterator[KeyedServer]:
    """Takes the keys of Alice and Bob in a field of its own."""
    with start_keyed((HEADER.lower(), KEY), (HEADER.lower(), OTHER)) as server:
        yield server


@pytest.fixture
async def gateway(proxy: DeployedGateway, keyed: KeyedServer) -> str:
    return await proxy.add(keyed.url, name="Keyed", auth_type="api_key", api_key={"header": HEADER})
