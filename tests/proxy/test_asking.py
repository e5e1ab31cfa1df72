"""The official SDK's client and FastMCP's, whose person has no token for the MCP server: what they see, and get on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.providers import FaultSwitch, sign_in
from tests.support.gateway_process import ALICE, DeployedGateway

MODES = {"2025-11-25": "legacy", "2026-07-28": "auto"}


class Person:
    """Somebody in front of a client, who opens the links that it shows."""

    def __init__(self, proxy: DeployedGateway) -> None:
        self.proxy = proxy
        self.seen: list[str] = []
        self.busy: set[asyncio.Task[None]] = set()

    async def authorize(self, url: str) -> None:
        async with self.proxy.browser() as browser:
            await browser.open(url)
            page = await sign_in(browser)
            assert page.title.startswith("OAuth Authorization Successful"), page.text

    async def at_once(self, _context: Any, params: Any) -> types.ElicitResult:
        """Agree, and open the link meanwhile."""
        self.seen.append(params.message)
        task = asyncio.create_task(self.authorize(params.url))
        self.busy.add(task)
        return types.ElicitResult(action="accept")

    async def declines(self, _context: Any, params: Any) -> types.ElicitResult:
        self.seen.append(params.message)
        return types.ElicitResult(action="decline")


@pytest.fixture
async def gateway(proxy: DeployedGateway, fault_switch: FaultSwitch) -> str:
    return await proxy.add(fault_switch.provider.mcp_url, name="Files")


@pytest.fixture
def person(proxy: DeployedGateway) -> Person:
    return Person(proxy)


@contextlib.asynccontextmanager
async def client(proxy: DeployedGateway, gateway: str, mode: str, **options: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {proxy.bearer(ALICE)}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        transport = streamable_http_client(f"{proxy.url}/gateways/{gateway}/mcp", http_client=http)
        async with Client(transport, mode=mode, cache=None, **options) as opened:
            yield opened


async def disconnect(proxy: DeployedGateway, gateway: str) -> None:
    async with proxy.api(ALICE) as api:
        assert (await api.delete(f"/oauth/tokens/{gateway}")).is_success


async def add(opened: Client) -> types.CallToolResult:
    result = await opened.call_tool("add", {"a": 1, "b": 2})
    assert isinstance(result, types.CallToolResult)
    return result


def text_of(result: types.CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, types.TextContent)
    return content.text


async def test_the_request_waits_for_its_person_and_goes_on(proxy: DeployedGateway, gateway: str, person: Person):
    await person.authorize(f"{proxy.url}/oauth/authorize/{gateway}")
    async with client(proxy, gateway, "auto", elicitation_callback=person.at_once) as opened:
        await disconnect(proxy, gateway)
        assert text_of(await add(opened)) == "3.0"
    await asyncio.gather(*person.busy)
    [said] = person.seen
    assert said.startswith("Files (127.0.0.1")
    assert "MCP server" not in said


@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
async def test_who_cannot_be_asked_reads_the_link_in_the_result(
    proxy: DeployedGateway, gateway: str, person: Person, mode: str
):
    await person.authorize(f"{proxy.url}/oauth/authorize/{gateway}")
    async with client(proxy, gateway, mode) as opened:
        await disconnect(proxy, gateway)
        result = await add(opened)
        assert result.is_error
        [link] = [word for word in text_of(result).split() if word.startswith("http")]
        await person.authorize(link)
        assert text_of(await add(opened)) == "3.0"


async def test_who_declines_reads_the_link_too(proxy: DeployedGateway, gateway: str, person: Person):
    await person.authorize(f"{proxy.url}/oauth/authorize/{gateway}")
    async with client(proxy, gateway, "auto", elicitation_callback=person.declines) as opened:
        await disconnect(proxy, gateway)
        result = await add(opened)
    assert result.is_error
    assert "/oauth/authorize/" in text_of(result)
    assert len(person.seen) == 1


async def test_a_session_is_told_the_links_to_open(proxy: DeployedGateway, gateway: str, person: Person):
    """The SDK leaves the rest to the program: it raises an error that has them."""
    await person.authorize(f"{proxy.url}/oauth/authorize/{gateway}")
    async with client(proxy, gateway, "legacy", elicitation_callback=person.at_once) as opened:
        await disconnect(proxy, gateway)
        with pytest.raises(MCPError) as caught:
            await add(opened)
        assert caught.value.error.code == types.URL_ELICITATION_REQUIRED
        [link] = types.ElicitationRequiredErrorData.model_validate(caught.value.error.data).elicitations
        await person.authorize(link.url)
        assert text_of(await add(opened)) == "3.0"


@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
async def test_a_client_that_cannot_begin_shows_the_link(
    proxy: DeployedGateway, gateway: str, person: Person, mode: str
):
    with pytest.raises(BaseException) as caught:
        async with client(proxy, gateway, mode):
            pass
    error = caught.value
    while isinstance(error, BaseExceptionGroup):
        [error] = error.exceptions
    assert isinstance(error, MCPError)
    [link] = [word for word in str(error).split() if word.startswith("http")]
    await person.authorize(link)
    async with client(proxy, gateway, mode) as opened:
        assert text_of(await add(opened)) == "3.0"


@pytest.mark.needs("fastmcp")
async def test_fastmcps_client_shows_it_too(proxy: DeployedGateway, gateway: str):
    from fastmcp import Client as FastClient
    from fastmcp.client.transports import StreamableHttpTransport

    headers = {"Authorization": f"Bearer {proxy.bearer(ALICE)}"}
    transport = StreamableHttpTransport(f"{proxy.url}/gateways/{gateway}/mcp", headers=headers)
    with pytest.raises(Exception, match=r"Files \(127\.0\.0\.1.*Open http.*/oauth/authorize/"):
        async with FastClient(transport):
            pass
