"""The gateway in the test's process with its authorization server, and a protected MCP server behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from latchpin_demo.browser import Browser

from tests.authorization_server.client import REDIRECT_URI, StockClient
from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")


@dataclass(frozen=True)
class Endpoint:
    """One gateway and where MCP clients reach it."""

    gateway_id: str

    @property
    def url(self) -> str:
        return f"{BASE}/gateways/{self.gateway_id}/mcp"


@pytest.fixture
async def files(gateway: InnerGateway, provider: FaultSwitch) -> Endpoint:
    """A gateway before a server that wants OAuth."""
    return Endpoint(await gateway.add(provider.provider.mcp_url, name="Files"))


@pytest.fixture
async def browser(gateway: InnerGateway) -> AsyncIterator[Browser]:
    """Alice's browser; the client's own address is not there."""
    async with Browser(gateway.client(ALICE), stops_before=REDIRECT_URI) as opened:
        yield opened


@pytest.fixture
async def stock(gateway: InnerGateway, files: Endpoint) -> AsyncIterator[StockClient]:
    """A client that knows the endpoint's URL and nothing else."""
    async with gateway.client(None) as http:
        yield StockClient(http, files.url)
