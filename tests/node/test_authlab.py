"""``mcp-authlab`` signs in at the front door, tries what has to be refused, and grades it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.front_door.clients import Person, open_desk
from tests.providers import FaultSwitch
from tests.servers.gateway import clean_environment
from tests.support.gateway_process import DeployedGateway

NOT_PASSED = {
    "TLS-01": "the test's gateway is on loopback, without TLS",
    "CHAL-03": "there is one scope, and a client that asks for none is given it",
    "ASF-01": "nobody is told before they have signed in, as the scanner is not; test_attacks_on_requests has it",
    "SESS-01": "the server behind has no sessions; test_ownership has it",
    "SESS-02": "the same",
}
"""What it warns of or cannot try, each with the reason. Nothing fails."""


async def test_it_finds_nothing_that_is_not_explained(proxy: DeployedGateway, fault_switch: FaultSwitch):
    endpoints = [f"{proxy.url}/gateways/{await proxy.add(fault_switch.provider.mcp_url)}/mcp" for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:  # the path of a local socket is short
        async with (
            proxy.browser() as browser,
            open_desk(Path(folder), Person(browser, "alice@example.com").visit) as door,
        ):
            env = clean_environment({"HOME": folder, "BROWSER": str(door)})
            await _run(env, "login", endpoints[0], "--foreign-resource", endpoints[1], "--thorough")
            report = json.loads(await _run(env, "scan", endpoints[0], "--format", "json"))
    found = {check["id"]: check["status"] for check in report["results"]}
    assert "fail" not in found.values(), found
    assert {name for name, status in found.items() if status != "pass"} == set(NOT_PASSED), report["results"]


async def _run(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "mcp_authlab", *arguments]
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=env, stdin=null, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()
