"""The TypeScript SDK's clients, of both eras, at one endpoint before 26 servers, ``server-everything`` among them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aggregator.conftest import Group, start_gateway, start_group
from tests.servers.programs import Node
from tests.support.gateway_process import ALICE, DeployedGateway

pytestmark = pytest.mark.filterwarnings("ignore:The (logging|sampling|roots) capability is deprecated")

SCRIPT = Path(__file__).with_name("one_endpoint.mjs")
CLIENTS = {"sdk-2025": ("sdk", "legacy"), "client-2025": ("client", "legacy"), "client-2026": ("client", "2026-07-28")}
TALKS: dict[str, tuple[dict[str, Any], str]] = {
    "official-0__climb": ({"steps": 3}, "3 steps"),
    "official-0__confirm": ({}, "sure: True"),
    "official-0__think": ({}, "it says yes"),
    "official-0__look": ({}, "in file:///work"),
    "official-0__wait": ({}, "cancelled"),
    "everything__echo": ({"message": "hello"}, "Echo: hello"),
    "everything__trigger-long-running-operation": ({"duration": 1, "steps": 4}, "Long running operation completed."),
}
"""What is called in each era, with the beginning of what comes back."""
ASKS: dict[str, tuple[dict[str, Any], str]] = {
    "everything__trigger-elicitation-request": ({}, "✅ User provided"),
    "everything__trigger-sampling-request": ({"prompt": "x", "maxTokens": 5}, "LLM sampling result"),
}
"""What a server with sessions can ask a program with sessions alone."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_gateway(Path(tmp_path_factory.mktemp("gateway")), ONE_ENDPOINT_FIRST_WAIT="0.3") as started:
        yield started


@pytest.fixture(scope="module")
def group(deployed: DeployedGateway, everything: str) -> Iterator[Group]:
    with start_group() as started:
        asyncio.run(started.add_to(deployed))
        asyncio.run(deployed.add(everything, name="everything", auth_type="none"))
        yield started


@pytest.mark.parametrize("client", CLIENTS)
def test_it_does_all_that_it_does_at_one_server(
    deployed: DeployedGateway, group: Group, node: Node, packages: Path, client: str
):
    make, speaks = CLIENTS[client]
    talks = TALKS | {f"{slug}__shout": ({"text": slug}, f"{slug.upper()}!") for slug in group.open}
    talks |= ASKS if speaks == "legacy" else {}
    group.official.cancelled.clear()
    calls = json.dumps([[name, given] for name, (given, _) in talks.items()])
    shutil.copy(SCRIPT, packages)
    command = [
        node.program,
        SCRIPT.name,
        f"{deployed.url}/mcp",
        f"Bearer {deployed.bearer(ALICE)}",
        make,
        speaks,
        calls,
    ]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    for name, (_, beginning) in talks.items():
        assert seen["results"][name].startswith(beginning), (name, seen["results"][name])
    assert group.official.cancelled.wait(60)
    assert seen["progress"] >= 3 + 1 + 3
    assert len(seen["asked"]) == (2 if speaks == "legacy" else 1)
    assert seen["logs"] == (["at 1", "at 2", "at 3"] if speaks == "legacy" else [])
    assert "latchpin_connect" in seen["tools"]
