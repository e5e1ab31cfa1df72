"""The main job: a user authorizes a protected MCP server, and its tools are fetched with the user's own token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, latchpin_command
from tests.support.gateway_process import ALICE, BOB, DeployedGateway, deploy_gateway


@pytest.fixture
def deployed(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    """The installed command, started as its deployer does."""
    with deploy_gateway(backend, tmp_path, executable=latchpin_command()) as started:
        yield started


async def test_with_a_url_only_a_user_authorizes_and_fetches_tools_that_nobody_else_has(
    deployed: DeployedGateway, fault_switch: FaultSwitch, backend
):
    gateway = await deployed.add(fault_switch.provider.mcp_url)
    async with deployed.browser() as browser:
        await deployed.authorize(browser, gateway)
        page = browser.page
        assert page is not None
        assert "code=" not in page.url
        assert ALICE in page.text
        page = await browser.submit(page.form(action="fetch-tools"))
        assert "Successfully fetched and created 3 tools" in page.text
    async with deployed.api(ALICE) as alice:
        again = await alice.post(f"/oauth/fetch-tools/{gateway}")
        assert again.json()["message"] == "Successfully fetched and created 0 tools"
        stored = await alice.get(f"/gateways/{gateway}/tools")
        assert {tool["name"] for tool in stored.json()["tools"]} == fault_switch.provider.tools
        status = (await alice.get(f"/oauth/status/{gateway}")).json()
        assert status["user_token_status"]["status"] == "valid"
        assert status["user_token_status"]["authorized"] is True
    log = deployed.log
    assert f"DEBUG - Stored OAuth state in {backend.label} for gateway {gateway}" in log
    assert f"DEBUG - Successfully validated OAuth state from {backend.label} for gateway {gateway}" in log
    assert f"INFO - Completed OAuth flow for gateway {gateway}, user {ALICE}" in log
    await nobody_elses(deployed, gateway)


async def nobody_elses(deployed: DeployedGateway, gateway: str) -> None:
    """Bob has neither the token nor the tools that alice has."""
    async with deployed.api(BOB) as bob:
        refused = await bob.post(f"/oauth/fetch-tools/{gateway}")
        assert refused.status_code == 401
        assert refused.json()["authorize_url"] == f"{deployed.url}/oauth/authorize/{gateway}"
        assert (await bob.get(f"/gateways/{gateway}/tools")).json()["total"] == 0
        assert (await bob.get(f"/oauth/status/{gateway}")).json()["user_token_status"]["status"] == "missing"
