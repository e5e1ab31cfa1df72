"""The Python SDK's client, where it opens links (2025-11-25): it is told in its stream that its person is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitCompleteNotification, ElicitResult

from tests.front_door.clients import text_of
from tests.front_door.conftest import Behind, demo_behind
from tests.providers import sign_in, start_fault_switch
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE, DeployedGateway, start_pair

NEEDS = ("latchpin_authorization_server", "latchpin_dcr", "latchpin_proxy")
_PATIENCE = 120


@pytest.fixture
def behind() -> Iterator[Behind]:
    """A server that keeps sessions, and a stream for each."""
    with start_fault_switch(stateless=False) as switch:
        yield demo_behind(switch)


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path) as started:
        yield started


@dataclass
class Opener:
    """A client that asks its person to open links.

    Attributes:
        done: the links of which it was told that its person is done.
    """

    client: Client
    done: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def call(self) -> str:
        return text_of(await self.client.call_tool("who_am_i", {}))

    async def link(self) -> dict[str, Any]:
        """What a call is answered with that wants a link to be opened first."""
        with pytest.raises(MCPError) as caught:
            await self.call()
        assert caught.value.error.code == -32042
        (asked,) = caught.value.error.data["elicitations"]
        return dict(asked)


@asynccontextmanager
async def open_links(url: str, token: str) -> AsyncIterator[Opener]:
    async def never(*_: Any) -> ElicitResult:
        return ElicitResult(action="cancel")

    async def hear(message: Any) -> None:
        if isinstance(message, ElicitCompleteNotification):
            opener.done.put_nowait(message.params.elicitation_id)

    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode="legacy", elicitation_callback=never, message_handler=hear) as client:
            opener = Opener(client)
            yield opener


@pytest.mark.backends("postgres", "redis")
async def test_a_client_hears_that_its_person_is_done(pair: DeployedGateway, behind: Behind):
    gateway = await pair.add(behind.mcp_url, name="Files")
    async with pair.browser() as browser:
        await pair.authorize(browser, gateway)
        async with open_links(f"{pair.url}/gateways/{gateway}/mcp", pair.bearer(ALICE)) as opener:
            assert await opener.call() == ALICE
            async with pair.api(ALICE) as own:
                (await own.delete(f"/oauth/tokens/{gateway}")).raise_for_status()
            asked = await opener.link()
            assert await opener.link() == asked  # asked again, it is the same link for the same thing
            assert opener.done.empty()
            await browser.open(asked["url"])
            assert (await sign_in(browser)).title.startswith("OAuth Authorization Successful")
            async with asyncio.timeout(_PATIENCE):
                assert await opener.done.get() == asked["elicitationId"]
            assert await opener.call() == ALICE
