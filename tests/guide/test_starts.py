"""The guide's ways to start a gateway, with a whole flow through each; and its steps to verify a fix."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.guide import commands as guide
from tests.guide.conftest import (
    ROOT,
    Terminal,
    hand_made_client,
    in_guides_place,
    open_shell,
    prepare_checkout,
    processes_in,
    serve_by,
    state_of,
    without_times,
)
from tests.providers import FaultSwitch, sign_in
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE, DeployedGateway, issued_by, one_browser_on_each, settings_of

pytestmark = pytest.mark.slow

WITHOUT_LEVEL = {"LOG_LEVEL"}
BY_ENV_FILE = {"CACHE_TYPE", "RECORD_STORE", "DATABASE_URL"}


def settings_for(backend: GatewayBackend, *, without: set[str]) -> dict[str, str]:
    return {name: value for name, value in in_guides_place(backend).items() if name not in without}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return prepare_checkout(tmp_path / "checkout")


async def flow(deployed: DeployedGateway, provider: FaultSwitch) -> str:
    """Authorize and fetch the tools; gives the gateway's id."""
    gateway = await deployed.add(provider.provider.mcp_url, oauth_config=hand_made_client(provider, deployed.url))
    async with deployed.browser() as browser:
        await deployed.authorize(browser, gateway)
        assert browser.page is not None
        page = await browser.submit(browser.page.form(button="Fetch Tools"))
        assert "Successfully fetched and created 3 tools" in page.text
    return gateway


async def write_history(deployed: DeployedGateway) -> None:
    """Have the history of flows written now and not in a moment, by looking at one."""
    async with deployed.api() as admin:
        deadline = time.monotonic() + 60
        while not (flows := (await admin.get("/flows")).json()["flows"]):
            assert time.monotonic() < deadline, "no flow is written"
        assert (await admin.get(f"/flows/{flows[0]['flow_id']}")).status_code == 200


@pytest.mark.backends("sqlite")
async def test_verifying_a_fix_with_make_dev(backend: GatewayBackend, provider: FaultSwitch, checkout: Path):
    assert guide.RESTART.text == guide.MAKE_DEV.text == guide.FIX_1_RESTART.text == guide.FIX_2_RESTART.text
    settings = settings_for(backend, without=BY_ENV_FILE | WITHOUT_LEVEL)  # .env has the store, make the level
    shell = open_shell(checkout, settings, way="installed")
    for restart in (guide.FIX_1_RESTART, guide.RESTART):
        with serve_by(restart, checkout, settings) as process:
            deployed = DeployedGateway(process, checkout)
            gateway = await flow(deployed, provider)
            assert without_times(shell.lines(guide.LOG_VALIDATED))[-1].endswith(f"from database for gateway {gateway}")
            assert without_times(shell.lines(guide.LOG_COMPLETED))[-1].endswith(f"{gateway}, user {ALICE}")
            assert gateway in shell.run("sqlite3 mcp.db", stdin=guide.SQL_ALL_TOKENS.text)
            await write_history(deployed)  # the sqlite3 command waits for no lock
            shell.run(guide.CLEAR_SQLITE)
            assert shell.run("sqlite3 mcp.db", stdin=guide.SQL_STATES.text) == ""
            assert shell.lines(guide.FIX_1_SHOW) == [guide.USE_DATABASE.text]


@pytest.mark.backends("sqlite")
async def test_tracing_a_single_flow(backend: GatewayBackend, provider: FaultSwitch, checkout: Path):
    settings = settings_for(backend, without=BY_ENV_FILE | WITHOUT_LEVEL)
    shell = open_shell(checkout, settings, way="installed")
    start = serve_by(f"{guide.EXPORT_DEBUG.text}\n{guide.MAKE_DEV.text}", checkout, settings)
    with start as process, Terminal(shell, guide.TAIL) as screen:
        gateway = await flow(DeployedGateway(process, checkout), provider)
        seen = screen.wait_for(f"Completed OAuth flow for gateway {gateway}")
    assert f"Stored OAuth state in database for gateway {gateway}" in seen


@pytest.mark.backends("redis")
async def test_switching_a_checkout_to_redis(backend: GatewayBackend, provider: FaultSwitch, checkout: Path):
    (checkout / ".env").write_text((checkout / ".env.example").read_text())
    settings = settings_for(backend, without={"CACHE_TYPE"} | WITHOUT_LEVEL)
    shell = open_shell(checkout, settings, way="installed")
    shell.run(guide.EDIT_ENV)
    with serve_by(guide.FIX_2_RESTART, checkout, settings) as process:
        gateway = await flow(DeployedGateway(process, checkout), provider)
        assert without_times(shell.lines(guide.LOG_STORED)) == [
            f"DEBUG - Stored OAuth state in Redis for gateway {gateway}"
        ]


@pytest.mark.parametrize("entry", [guide.MAKE_SERVE, guide.GUNICORN], ids=["make", "gunicorn"])
@pytest.mark.backends("memory")
async def test_a_single_worker_with_memory(
    entry: guide.Entry, backend: GatewayBackend, provider: FaultSwitch, checkout: Path
):
    settings = settings_for(backend, without=set())
    with serve_by(entry, checkout, settings) as process:
        deployed = DeployedGateway(process, checkout)
        gateway = await flow(deployed, provider)
        assert f"Completed OAuth flow for gateway {gateway}" in deployed.log
        worker = "gunicorn: worker" if entry is guide.GUNICORN else "latchpin: uvicorn worker 1/1"
        assert workers(checkout, settings, worker) == 1


def workers(folder: Path, settings: Mapping[str, str], title: str) -> int:
    """How many workers the guide's command lists of the gateway in ``folder``."""
    shell = open_shell(folder, settings, way="installed")
    return sum(title in line for line in processes_in(folder, shell.lines(guide.SHOW_WORKERS)))


@pytest.mark.backends("memory")
async def test_several_workers_with_memory_lose_states_and_the_log_says_why(
    backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path
):
    settings = settings_for(backend, without=set())
    command = guide.GUNICORN.text.replace("--workers 1", "--workers 2")
    with serve_by(command, tmp_path, settings) as process:
        deployed = DeployedGateway(process, tmp_path)
        shell = open_shell(tmp_path, settings, way="installed")
        process.wait_for_output("Application startup complete", times=2)  # the first to serve is not both
        assert workers(tmp_path, settings, "gunicorn: worker") == 2
        client = hand_made_client(provider, deployed.url)
        async with one_browser_on_each(deployed) as (first, second, one, two):
            body = {"url": provider.provider.mcp_url, "oauth_config": client}
            created = await first._client.post(f"{deployed.url}/gateways", json=body, headers=admin(deployed))
            gateway = created.json()["id"]
            await first.open(f"{deployed.url}/oauth/authorize/{gateway}")
            callback = str((await sign_in(first, follow=False)).headers["location"])
            second.cookies.update(first.cookies)
            page = await second.open(callback)
            assert (page.status, issued_by(callback) == one != two) == (400, True)
        text = guide.SEVERAL_WORKERS_FLOW.text.replace("abc123", gateway).splitlines()
        assert without_times(shell.lines(guide.LOG_STORED)) == text[:1]
        assert without_times(shell.lines(guide.LOG_NOT_FOUND)) == text[1:2]
        assert without_times(deployed.log.splitlines()).count(text[2]) == 1
        why = "cause=state-other-worker, fault of the administrator: another process of this machine"
        assert [" ERROR - Flow " in line for line in deployed.log.splitlines() if why in line] == [True]
        code = parse_qs(urlsplit(callback).query)["code"][0]
        for secret in (code, state_of(callback)):
            assert secret not in process.output + deployed.log


def admin(deployed: DeployedGateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {deployed.bearer('admin@example.com')}", "X-Test-User": "admin@example.com"}


@pytest.mark.backends("sqlite", "postgres")
async def test_migrating_from_the_repositorys_root(backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path):
    settings = settings_of(backend)  # an absolute place: the command runs in the repository
    shell = open_shell(tmp_path, settings, way="installed")
    in_root = type(shell)(ROOT, shell.environment)
    in_root.run(guide.MIGRATE)
    in_root.run(guide.MIGRATE)  # nothing left to do
    with serve_by("latchpin serve", tmp_path, settings) as process:
        deployed = DeployedGateway(process, tmp_path)
        await flow(deployed, provider)
