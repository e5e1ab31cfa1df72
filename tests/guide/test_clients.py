"""Dynamic Client Registration as the guide troubleshoots it: the list of clients, the log, and the three errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.guide import commands as guide
from tests.guide.conftest import STORED, GuidedGateway, named, open_guided, ways
from tests.providers import FaultSwitch, faults
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE

pytestmark = [pytest.mark.slow, pytest.mark.needs("latchpin_dcr")]


@pytest.mark.parametrize("way", ways("curl", "jq"))
async def test_the_registered_clients_are_listed_for_who_has_a_token(
    backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path, way: str
):
    place = "http://localhost:4444"  # where the guide's reader has it; curl is led to the test's port
    assert place in guide.LIST_CLIENTS.text
    with open_guided(backend, tmp_path, provider, way=way, BASE_URL=place, JWT_SECRET_KEY="") as guided:
        refused = json.loads(guided.shell.run(guide.LIST_CLIENTS))
        assert (refused["status"], refused["cause"]) == (401, "not-signed-in")
        command = guide.LIST_CLIENTS_WITH_TOKEN.text
        assert command.removesuffix(" | jq") in refused["remedy"]


@pytest.mark.backends("sqlite", "postgres", "redis")
@pytest.mark.parametrize("way", ways("curl", "jq"))
async def test_the_command_of_the_remedy_lists_the_registered_client(
    backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path, way: str
):
    with open_guided(backend, tmp_path, provider, way=way) as guided:
        gateway = await guided.deployed.add(provider.provider.mcp_url)
        async with guided.deployed.browser() as browser:
            await guided.deployed.begin(browser, gateway)
        # the guide's port is the reader's; everything that makes and judges the token must agree on BASE_URL
        command = guide.LIST_CLIENTS_WITH_TOKEN.text.replace("http://localhost:4444", guided.deployed.url)
        output = guided.shell.run(f"export BASE_URL={guided.deployed.url}; {command}")
        listed = json.loads(output)
        assert listed["total"] == 1
        assert (listed["clients"][0]["gateway_id"], listed["clients"][0]["issuer"]) == (
            gateway,
            provider.provider.issuer,
        )
        assert output.startswith('{\n  "clients": [\n')  # jq's doing
        assert any(f"gave gateway {gateway} the client" in line for line in guided.shell.lines(guide.LOG_DCR))


async def begin_in_vain(guided: GuidedGateway, gateway: str) -> tuple[str, str]:
    """Authorize, which fails; what the page and the log say."""
    guided.new_log()
    async with guided.deployed.browser(ALICE) as browser:
        page = await browser.open(f"{guided.deployed.url}/oauth/authorize/{gateway}")
        assert page.status == 502, page.text
        return page.text, guided.new_log()


async def test_each_dcr_error_is_shown_and_logged_when_its_cause_holds(guided: GuidedGateway):
    provider = guided.provider
    for entry, endpoint, fault in (
        (guide.DCR_FAILED, "metadata", faults.without("registration_endpoint")),
        (guide.DCR_FAILED, "register", faults.status(403)),
        (guide.DISCOVERY_FAILED, "metadata", faults.status(500)),
    ):
        gateway = await guided.deployed.add(provider.provider.mcp_url)
        provider.arm(endpoint, fault)
        page, log = await begin_in_vain(guided, gateway)
        provider.heal()
        assert entry.text in page
        assert named(log) == {entry.text}
        assert guided.shell.lines(guide.LOG_DCR)
    assert "does not support RFC 7591" in guided.shell.lines(guide.LOG_DCR)[0]
    gateway = await guided.deployed.add(provider.provider.mcp_url)
    for endpoint in ("resource-metadata", "metadata", "openid"):
        provider.arm(endpoint, faults.status(404))
    provider.arm("mcp", faults.status(401))
    page, log = await begin_in_vain(guided, gateway)
    provider.heal()
    assert guide.NO_ISSUER.text in page
    assert named(log) == {guide.NO_ISSUER.text}
    guided.new_log()
    async with guided.deployed.browser() as browser:  # all healthy again: no error is named
        await guided.deployed.begin(browser, gateway)
    assert named(guided.new_log()) == {STORED}
