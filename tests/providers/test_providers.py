"""Each provider really works: a plain client goes from the MCP URL to a tool's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.providers import (
    PlainClient,
    Provider,
    start_demo_provider,
    start_fault_switch,
    start_sdk_provider,
)
from tests.providers.clients import call_tool, list_tools
from tests.providers.servers import start_fastmcp_provider

NEEDS = ("fastmcp",)
STARTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "demo": start_demo_provider,
    "sdk": start_sdk_provider,
    "sdk-slash": lambda: start_sdk_provider(slash=True),
    "fastmcp": start_fastmcp_provider,
    "switch": start_fault_switch,
}
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "demo": ("who_am_i", {}, "alice@example.com"),
    "sdk": ("whose", {}, "alice@example.com"),
    "sdk-slash": ("shout", {"text": "hey"}, "HEY!"),
    "fastmcp": ("reverse", {"text": "abc"}, "cba"),
    "switch": ("add", {"a": 2, "b": 3}, "5.0"),
}


@pytest.fixture(params=STARTS)
def named(request: pytest.FixtureRequest) -> Iterator[tuple[str, Provider]]:
    with STARTS[request.param]() as started:
        yield request.param, getattr(started, "provider", started)


async def test_a_plain_client_gets_from_the_url_to_a_tool(
    named: tuple[str, Provider], http: httpx.AsyncClient, browser: Browser
) -> None:
    name, provider = named
    client = PlainClient(http, provider.mcp_url)
    tokens = await client.obtain(browser)
    assert client.metadata["issuer"] == provider.issuer == client.resource["authorization_servers"][0]
    assert client.resource["resource"] == provider.mcp_url
    assert await list_tools(provider.mcp_url, tokens["access_token"]) == provider.tools
    tool, arguments, expected = CALLS[name]
    assert await call_tool(provider.mcp_url, tokens["access_token"], tool, arguments) == expected
    rotated = (await client.refresh(tokens["refresh_token"])).raise_for_status().json()
    assert rotated["refresh_token"] != tokens["refresh_token"]
    assert await list_tools(provider.mcp_url, rotated["access_token"]) == provider.tools


async def test_without_a_token_there_is_a_challenge(named: tuple[str, Provider], http: httpx.AsyncClient) -> None:
    _, provider = named
    answer = await http.post(provider.mcp_url, json={})
    assert answer.status_code == 401
    assert "resource_metadata=" in answer.headers["www-authenticate"]
