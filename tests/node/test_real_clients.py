"""The official clients, Python's and TypeScript's, call tools of real servers of every make through the gateway."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.providers import start_sdk_provider
from tests.providers.clients import Age, call_tool, list_tools
from tests.proxy.conftest import open_fastmcp_server, open_sdk_server
from tests.servers.programs import Node
from tests.support.gateway_process import ALICE, DeployedGateway

SCRIPT = Path(__file__).with_name("client.mjs")
SHOUT = ("shout", {"text": "hi"}, "HI!")
SERVERS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "sdk, with sessions as in 2025": open_sdk_server,
    "sdk, stateless as in 2026": lambda: open_sdk_server(stateless=True),
    "fastmcp": open_fastmcp_server,
}


class TypeScript:
    """The TypeScript SDK's client, one process for each call."""

    def __init__(self, node: Node, packages: Path) -> None:
        self._node, self._packages = node, packages
        shutil.copy(SCRIPT, packages)

    def call(self, proxy: DeployedGateway, gateway: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        here = f"{proxy.url}/gateways/{gateway}/mcp"
        command = [self._node.program, SCRIPT.name, here, f"Bearer {proxy.bearer(ALICE)}", tool, json.dumps(arguments)]
        done = subprocess.run(command, cwd=self._packages, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen


@pytest.fixture(scope="module")
def typescript(node: Node, packages: Path) -> TypeScript:
    return TypeScript(node, packages)


@pytest.mark.parametrize("age", ["legacy", "auto"])
async def test_the_python_client_calls_server_everything(proxy: DeployedGateway, everything: str, age: Age):
    gateway = await proxy.add(everything, auth_type="none")
    here, token = f"{proxy.url}/gateways/{gateway}/mcp", proxy.bearer(ALICE)
    assert "echo" in await list_tools(here, token, age)
    assert await call_tool(here, token, "echo", {"message": "hello"}, age) == "Echo: hello"


async def test_the_typescript_client_calls_server_everything(
    proxy: DeployedGateway, everything: str, typescript: TypeScript
):
    gateway = await proxy.add(everything, auth_type="none")
    seen = typescript.call(proxy, gateway, "echo", {"message": "hello"})
    assert seen["result"]["content"] == [{"type": "text", "text": "Echo: hello"}]
    long = typescript.call(proxy, gateway, "trigger-long-running-operation", {"duration": 1, "steps": 4})
    assert long["progress"] >= 3


@pytest.mark.parametrize("age", ["legacy", "2026-07-28", "auto"])
@pytest.mark.parametrize("make", ["sdk, with sessions as in 2025", "sdk, stateless as in 2026"])
async def test_the_python_client_calls_an_sdk_server(proxy: DeployedGateway, make: str, age: Age):
    tool, arguments, answer = SHOUT
    with SERVERS[make]() as url:
        here = f"{proxy.url}/gateways/{await proxy.add(url, auth_type='none')}/mcp"
        assert await list_tools(here, proxy.bearer(ALICE), age) == {tool}
        assert await call_tool(here, proxy.bearer(ALICE), tool, arguments, age) == answer


async def test_the_python_client_calls_a_fastmcp_server(proxy: DeployedGateway):
    tool, arguments, answer = SHOUT
    with open_fastmcp_server() as url:
        here = f"{proxy.url}/gateways/{await proxy.add(url, auth_type='none')}/mcp"
        assert await call_tool(here, proxy.bearer(ALICE), tool, arguments, "auto") == answer


@pytest.mark.parametrize("make", SERVERS)
async def test_the_typescript_client_calls_a_python_server(proxy: DeployedGateway, typescript: TypeScript, make: str):
    tool, arguments, answer = SHOUT
    with SERVERS[make]() as url:
        seen = typescript.call(proxy, await proxy.add(url, auth_type="none"), tool, arguments)
    assert seen["tools"] == [tool]
    assert seen["result"]["content"][0]["text"] == answer


async def test_the_typescript_client_calls_a_protected_server(proxy: DeployedGateway, typescript: TypeScript):
    with start_sdk_provider() as provider:
        gateway = await proxy.add(provider.mcp_url)
        async with proxy.browser() as browser:
            await proxy.authorize(browser, gateway)
        seen = typescript.call(proxy, gateway, "whose", {})
    assert set(seen["tools"]) == {"whose", "shout"}
    assert seen["result"]["content"][0]["text"] == ALICE
