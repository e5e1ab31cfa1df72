"""``latchpin applications`` and ``latchpin personal-tokens`` beside a gateway that serves: it knows within a second."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import REDIRECT_URI, StockClient
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import ALICE, USER_HEADER, DeployedGateway, settings_of

NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_dcr")
pytestmark = pytest.mark.backends("sqlite")

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def latchpin(backend: GatewayBackend, deployed: DeployedGateway, tmp_path: Path) -> Run:
    """Types a command where the gateway runs; its standard output and error."""

    def run(*arguments: str, fails: bool = False) -> tuple[str, str]:
        env = settings_of(backend) | {"BASE_URL": deployed.url}
        ended = run_latchpin(*arguments, env=env, cwd=tmp_path)
        assert (ended.returncode == 1) is fails, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout, ended.stderr

    return run


@pytest.fixture
async def files(deployed: DeployedGateway, provider: FaultSwitch) -> AsyncIterator[StockClient]:
    """A client of an endpoint whose server Alice is connected to."""
    gateway_id = await deployed.add(provider.provider.mcp_url, name="Files")
    async with deployed.browser() as browser:
        await deployed.authorize(browser, gateway_id)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield StockClient(http, f"{deployed.url}/gateways/{gateway_id}/mcp")


async def ends(files: StockClient, token: str) -> bool:
    """Whether the gateway takes a token no more; it may a second longer, and a busy machine may make that more."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (await files.call(token)).status_code == 401:
            return True
    return False


async def test_a_personal_token_is_made_listed_and_ended(files: StockClient, latchpin: Run):
    made, words = latchpin("personal-tokens", "create", "--email", ALICE, "--name", "Report", "--gateway", "Files")
    assert words == ""
    assert (await files.call(made.strip())).status_code == 200
    (listed,) = json.loads(latchpin("personal-tokens", "list", "--json")[0])
    assert (listed["app_user_email"], listed["resources"]) == (ALICE, [files.mcp_url])
    assert listed["used_at"] is not None
    assert made.strip().rpartition("_")[2] not in str(listed)
    assert "Report" in latchpin("personal-tokens", "list", "--user", ALICE)[0]
    assert latchpin("personal-tokens", "end", listed["id"])[0] == f"Ended: Report of {ALICE}\n"
    assert await ends(files, made.strip())
    assert "no personal access token" in latchpin("personal-tokens", "list")[1]
    assert "no such personal access token" in latchpin("personal-tokens", "end", listed["id"], fails=True)[1]
    wrong = ("personal-tokens", "create", "--email", ALICE, "--name", "x")
    assert "at most 365 days" in latchpin(*wrong, "--days", "366", fails=True)[1]
    assert latchpin(*wrong, "--gateway", "Elsewhere", fails=True)


async def test_applications_are_listed_and_ended(files: StockClient, latchpin: Run):
    client = httpx.AsyncClient(headers={USER_HEADER: ALICE}, trust_env=False, timeout=60)
    async with Browser(client, stops_before=REDIRECT_URI) as browser:
        tokens = await files.gets_in(browser)
    (listed,) = json.loads(latchpin("applications", "list", "--json")[0])
    assert (listed["app_user_email"], listed["client_id"]) == (ALICE, files.client["client_id"])
    assert "Plain" in latchpin("applications", "list", "--user", ALICE)[0]
    assert "Nothing matches." in latchpin("applications", "list", "--client", "another")[1]
    assert "what is to end was not said" in latchpin("applications", "end", fails=True)[1]
    assert "what is to end was not said" in latchpin("applications", "end", "--client", "x", fails=True)[1]
    ended = latchpin("applications", "end", "--client", listed["client_id"], "--user", ALICE)[0]
    assert ended == f"Ended: Plain as {ALICE} at {files.mcp_url}\n"
    assert await ends(files, tokens["access_token"])
    assert "No application has access." in latchpin("applications", "list")[1]
    assert "no such grant" in latchpin("applications", "end", listed["id"], fails=True)[1]
