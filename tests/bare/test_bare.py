"""Core and one store, and nothing else: the whole flow with a client that an administrator entered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from latchpin.commands.command_line import COMMANDS

from tests.providers.servers import DemoProvider, start_demo_provider
from tests.servers import GatewayBackend, latchpin_command, run_latchpin
from tests.support.gateway_process import (
    ADMIN,
    ALICE,
    USER_HEADER,
    DeployedGateway,
    dead_links,
    deploy_gateway,
    settings_of,
    status_of,
    walk_whole_flow,
)


@pytest.fixture
def deployed(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with deploy_gateway(backend, tmp_path, executable=latchpin_command()) as started:
        yield started


@pytest.fixture
def provider() -> Iterator[DemoProvider]:
    with start_demo_provider() as started:
        yield started


async def test_the_whole_flow(deployed: DeployedGateway, provider: DemoProvider, backend: GatewayBackend):
    gateway = await walk_whole_flow(deployed, provider)
    for line in (
        f"DEBUG - Stored OAuth state in {backend.label} for gateway {gateway}",
        f"DEBUG - Successfully validated OAuth state from {backend.label} for gateway {gateway}",
        f"INFO - Completed OAuth flow for gateway {gateway}, user {ALICE}",
    ):
        assert line in deployed.log


async def test_a_token_outlives_the_process(provider: DemoProvider, backend: GatewayBackend, tmp_path: Path):
    with deploy_gateway(backend, tmp_path) as first:
        port = str(first.process.port)
        gateway = await walk_whole_flow(first, provider)
        async with first.browser() as browser:
            await first.authorize(browser, gateway)
    with deploy_gateway(backend, tmp_path, PORT=port) as second:
        async with second.api(ALICE) as alice:
            assert await status_of(alice, gateway) == "valid"
            assert (await alice.post(f"/oauth/fetch-tools/{gateway}")).status_code == 200


async def test_no_page_leads_nowhere(deployed: DeployedGateway, provider: DemoProvider):
    gateway = await walk_whole_flow(deployed, provider)
    headers = {USER_HEADER: ADMIN}
    async with httpx.AsyncClient(base_url=deployed.url, headers=headers, trust_env=False, timeout=60) as client:
        assert await dead_links(client) == {}
        missed = await client.get(f"/gateways/{gateway}/mcp", headers={"Accept": "application/json"})
        assert missed.status_code == 404
        assert "latchpin-proxy, which is not installed" in missed.json()["detail"]
        undescribed = await client.get("/openapi.json", headers={"Accept": "application/json"})
        assert undescribed.status_code == 404
        assert "latchpin-api-docs, which is not installed" in undescribed.json()["detail"]
        nowhere = await client.get("/nowhere", headers={"Accept": "application/json"})
        assert nowhere.json()["remedy"] == "Check the address."


async def test_without_a_client_it_says_how_to_get_one(deployed: DeployedGateway, provider: DemoProvider):
    gateway = await deployed.add(provider.mcp_url, auth_type="oauth")
    async with deployed.api() as api:
        told = (await api.get(f"/oauth/authorize/{gateway}")).json()
    assert "no client_id is entered on the gateway" in told["detail"]
    assert "Dynamic Client Registration: latchpin-dcr is not installed" in told["detail"]
    assert f"{deployed.url}/oauth/callback" in told["remedy"]


def test_nothing_else_is_installed(backend: GatewayBackend, tmp_path: Path):
    told = run_latchpin("plugins", "--json", env=settings_of(backend), cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert {row["distribution"] for row in json.loads(told.stdout)} == {"latchpin", "latchpin-sql-store"}


@pytest.mark.parametrize("command", [each.name for each in COMMANDS])
def test_each_command_is_there(command: str, tmp_path: Path):
    helped = run_latchpin(command, "--help", env={}, cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert f"latchpin {command}" in helped.stdout
