"""The official conformance suite's scenarios for authorization servers, with a person at the browser."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx

from tests.front_door.clients import Person
from tests.providers import FaultSwitch
from tests.servers.processes import HOST, Reservation
from tests.servers.programs import Node
from tests.support.gateway_process import ALICE, DeployedGateway

SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}
_PATIENCE = 120


async def test_every_scenario_passes(
    proxy: DeployedGateway, fault_switch: FaultSwitch, node: Node, packages: Path, tmp_path: Path
):
    endpoint = f"{proxy.url}/gateways/{await proxy.add(fault_switch.provider.mcp_url)}/mcp"
    with Reservation() as reserved:
        client = await _register(proxy.url, f"http://{HOST}:{reserved.port}/callback")
        command = [str(packages / "node_modules/.bin/conformance"), "authorization", "--url", proxy.url]
        command += ["--client-id", client, "--resource", endpoint, "--port", str(reserved.port)]
        async with proxy.browser() as browser, asyncio.timeout(_PATIENCE):
            said = await _run([*command, "--output-dir", str(tmp_path)], node, Person(browser, ALICE))
    passed = re.findall(r"^✓ (\S+): \d+ passed, 0 failed", said.partition("=== SUMMARY ===")[2], re.MULTILINE)
    assert set(passed) == SCENARIOS, said


async def _register(url: str, redirect_uri: str) -> str:
    wishes = {"redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none", "client_name": "Suite"}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        answer = (await http.post(f"{url}/oauth2/register", json=wishes)).raise_for_status()
    return str(answer.json()["client_id"])


async def _run(command: list[str], node: Node, person: Person) -> str:
    """Run it; the person opens the URL that it prints."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, env=node.environment({}), stdin=null, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    said, visit = "", None
    try:
        async for line in process.stdout:
            said += line.decode()
            found = re.search(r"http\S+/oauth2/authorize\?\S+", line.decode())
            if found is not None:
                visit = asyncio.create_task(person.visit(found[0]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert visit is not None, said
    await visit
    return said
