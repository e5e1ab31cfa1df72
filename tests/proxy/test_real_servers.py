"""The official client calls tools of real servers of each protocol age through the gateway."""

from __future__ import annotations

import pytest

from tests.providers import start_sdk_provider
from tests.providers.clients import Age, call_tool, list_tools
from tests.proxy.conftest import open_fastmcp_server, open_sdk_server
from tests.support.gateway_process import ALICE, BOB, DeployedGateway


def endpoint(proxy: DeployedGateway, gateway: str) -> str:
    return f"{proxy.url}/gateways/{gateway}/mcp"


@pytest.mark.parametrize("age", ["legacy", "2026-07-28", "auto"])
@pytest.mark.parametrize("stateless", [False, True])
@pytest.mark.parametrize("json", [False, True])
async def test_an_sdk_server_without_oauth(proxy: DeployedGateway, age: Age, stateless: bool, json: bool):
    with open_sdk_server(stateless=stateless, json=json) as url:
        gateway = await proxy.add(url, auth_type="none")
        here, token = endpoint(proxy, gateway), proxy.bearer(ALICE)
        assert await list_tools(here, token, age) == {"shout"}
        assert await call_tool(here, token, "shout", {"text": "hi"}, age) == "HI!"


@pytest.mark.needs("fastmcp")
@pytest.mark.parametrize("age", ["legacy", "auto"])
async def test_a_fastmcp_server(proxy: DeployedGateway, age: Age):
    with open_fastmcp_server() as url:
        gateway = await proxy.add(url, auth_type="none")
        here, token = endpoint(proxy, gateway), proxy.bearer(ALICE)
        assert await list_tools(here, token, age) == {"shout"}
        assert await call_tool(here, token, "shout", {"text": "hi"}, age) == "HI!"


@pytest.mark.parametrize("age", ["legacy", "2026-07-28"])
async def test_a_protected_sdk_server_sees_each_callers_own_token(proxy: DeployedGateway, age: Age):
    with start_sdk_provider() as provider:
        gateway = await proxy.add(provider.mcp_url)
        async with proxy.browser() as browser:
            await proxy.authorize(browser, gateway)
        here = endpoint(proxy, gateway)
        assert await call_tool(here, proxy.bearer(ALICE), "whose", {}, age) == "alice@example.com"
        with pytest.raises(BaseException):  # noqa: B017  the SDK raises groups
            await call_tool(here, proxy.bearer(BOB), "whose", {}, age)
