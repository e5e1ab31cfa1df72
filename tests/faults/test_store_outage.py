"""A store that is down at the start, goes away in the middle of a flow and comes back: nothing is lost by it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.activity.logs import tear_down_logging

from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, start_latchpin
from tests.support.gateway_in_process import BASE, open_gateway
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway, settings_of

pytestmark = pytest.mark.needs("latchpin_dcr")

TITLE = "OAuth Authorization Successful"
OPAQUE = "Invalid or expired state parameter - possible replay attack"


@pytest.fixture
def server(backend: GatewayBackend, request: pytest.FixtureRequest) -> Any:
    """The backend's server, which the test may stop."""
    return request.getfixturevalue({"postgres": "postgres", "redis": "redis_server"}[backend.name])


@pytest.fixture
def deployed(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with deploy_gateway(backend, tmp_path, OAUTH_CALLBACK_WAIT_SECONDS="0") as started:
        yield started


async def refused(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    """A request that must be told that the store is away, and not wait until its own deadline ends it."""
    answer = await client.request(method, path)
    assert answer.status_code == 503, (path, answer.text)
    assert int(answer.headers["retry-after"]) >= 1
    problem = answer.json()
    assert (problem["cause"], problem["title"]) == ("store-unavailable", "The store is not reachable"), path
    assert problem["remedy"]
    return answer


@pytest.mark.backends("postgres", "redis")
async def test_a_flow_survives_its_stores_absence(
    deployed: DeployedGateway, server, backend, fault_switch: FaultSwitch
):
    gateway = await deployed.add(fault_switch.provider.mcp_url)
    async with deployed.browser() as browser, deployed.api(ALICE) as api:
        callback = await deployed.begin(browser, gateway)
        server.stop()
        page = await browser.open(callback)
        assert (page.status, page.title) == (503, "The store is not reachable")
        assert "retry-after" in page.headers
        await refused(api, "GET", f"/oauth/authorize/{gateway}")
        await refused(api, "GET", f"/oauth/status/{gateway}")
        await refused(api, "GET", "/gateways")
        await refused(api, "POST", f"/oauth/fetch-tools/{gateway}")
        await refused(api, "DELETE", f"/oauth/tokens/{gateway}")
        ready = await api.get("/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert f":{server.port}" in ready.json()["state_store"]["reason"]
        assert (await api.get("/health")).status_code == 200
        assert fault_switch.asked("token") == []
        server.start()
        page = await browser.open(callback)  # the very first request, and the same callback
        assert page.title == TITLE, page.text
        assert (await api.get("/ready")).status_code == 200
    log = deployed.log
    assert "Traceback" not in log
    assert "ERROR - OAuth callback failed: The gateway's store is not reachable at the moment." in log


@pytest.mark.backends("redis")
async def test_a_redis_that_stood_still_uses_up_nothing(deployed: DeployedGateway, server, fault_switch: FaultSwitch):
    gateway = await deployed.add(fault_switch.provider.mcp_url)
    async with deployed.browser() as browser:
        callback = await deployed.begin(browser, gateway)
        with server.paused():
            page = await browser.open(callback)
            assert (page.status, page.title) == (503, "The store is not reachable")
            assert "open the same link again" in page.text
        assert (await browser.open(callback)).title == TITLE
    assert "replay" not in deployed.log


@pytest.mark.backends("redis")
async def test_a_redis_that_forgot_says_so(deployed: DeployedGateway, server, fault_switch: FaultSwitch):
    gateway = await deployed.add(fault_switch.provider.mcp_url)
    async with deployed.browser() as browser:
        callback = await deployed.begin(browser, gateway)
        server.stop()
        server.start()
        server.command("FLUSHALL")
        page = await browser.open(callback)
    assert page.status == 400
    assert OPAQUE in page.text
    assert f"WARNING - State not found in Redis for gateway {gateway}" in deployed.log
    assert f"ERROR - OAuth callback failed: {OPAQUE}" in deployed.log


@pytest.mark.backends("redis")
def test_a_redis_that_comes_late_is_waited_for(backend: GatewayBackend, server, tmp_path):
    server.stop()
    env = settings_of(backend) | {"REDIS_MAX_RETRIES": "1000", "REDIS_RETRY_INTERVAL_MS": "100"}
    with start_latchpin(env=env, cwd=tmp_path, ready=False) as process:
        process.wait_for_output("trying again")
        server.start()
        process.wait_until_healthy()
        assert "Traceback" not in process.output


# -- SQLite: a file that somebody else holds, and a disk that takes nothing -------------------------------


@pytest.mark.backends("sqlite")
async def test_a_locked_file_is_answered_in_time_and_loses_nothing(
    deployed: DeployedGateway, fault_switch: FaultSwitch
):
    gateway = await deployed.add(fault_switch.provider.mcp_url)
    async with deployed.browser() as browser, deployed.api(ALICE) as api:
        callback = await deployed.begin(browser, gateway)
        with sqlite3.connect(deployed.folder / "latchpin.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            await refused(api, "GET", f"/oauth/authorize/{gateway}")
            page = await browser.open(callback)
            assert page.status == 503
            assert (await api.get(f"/oauth/status/{gateway}")).status_code == 200  # reading needs no lock
            other.execute("ROLLBACK")
        other.close()
        assert (await browser.open(callback)).title == TITLE
    assert "Traceback" not in deployed.log


@pytest.mark.backends("sqlite")
async def test_a_short_lock_is_waited_for(backend, environment, provider: FaultSwitch):
    environment.setattr("latchpin_sql_store.engine.WAIT_MILLISECONDS", 60_000)  # or half a second might become two
    environment.setattr("latchpin_sql_store.write_queue.PATIENCE", 60)
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    async with open_gateway() as gateway, gateway.client(ALICE) as alice:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        file = backend.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(alice.get(f"{BASE}/oauth/authorize/{gateway_id}"))
            done, _ = await asyncio.wait({waiting}, timeout=0.5)
            assert not done
            other.execute("COMMIT")
        assert (await waiting).status_code == 302
    tear_down_logging()


@pytest.mark.backends("sqlite")
async def test_a_disk_that_takes_nothing_is_named_and_recovers(backend, tmp_path, fault_switch: FaultSwitch):
    with deploy_gateway(backend, tmp_path, LOG_FILE="", OAUTH_CALLBACK_WAIT_SECONDS="0") as deployed:
        gateway = await deployed.add(fault_switch.provider.mcp_url)
        async with deployed.browser() as browser, deployed.api(ALICE) as api:
            callback = await deployed.begin(browser, gateway)
            most = resource.prlimit(deployed.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            await refused(api, "GET", f"/oauth/authorize/{gateway}")
            assert (await browser.open(callback)).status == 503
            assert (await api.get("/health")).status_code == 200
            resource.prlimit(deployed.process.pid, resource.RLIMIT_FSIZE, most)
            assert (await browser.open(callback)).title == TITLE
        deployed.process.wait_for_output("the database at")
        deployed.process.stop()
        assert "Traceback" not in deployed.process.output
