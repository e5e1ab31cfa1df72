"""A backup made as docs/back-up.md says, while the gateway serves, is restored elsewhere: who was connected goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.checks import ROOT, Page, read
from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.servers import GatewayBackend, PostgresServer, RedisServer, run_latchpin
from tests.support.gateway_process import ALICE, BOB, DeployedGateway, deploy_gateway, settings_of

NEEDS = ("latchpin_admin_cli", "latchpin_doctor", "latchpin_proxy")
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
THREE = '"structuredContent":{"result":3.0}'
HEADINGS = {"sqlite": "SQLite", "postgres": "PostgreSQL", "redis": "Redis"}
PAGE = read(ROOT / "docs" / "back-up.md")


def blocks(page: Page, heading: str) -> list[str]:
    """The commands below a heading."""
    lines = page.text.splitlines()
    first = lines.index(f"## {heading}") + 1
    last = next((number for number, line in enumerate(lines) if number >= first and line.startswith("## ")), len(lines))
    return [block.text for block in page.blocks if first < block.line <= last]


def shell(text: str, folder: Path, programs: Path, settings: Mapping[str, str]) -> None:
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"


@pytest.fixture
def programs(tmp_path: Path, request: pytest.FixtureRequest, backend: GatewayBackend) -> Path:
    """A folder with the store's own programs."""
    if backend.name == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.binaries
    folder = tmp_path / "programs"
    folder.mkdir()
    if backend.name == "redis" and shutil.which("redis-cli") is None:
        stand_in = folder / "redis-cli"
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("redis_cli.py")} "$@"\n')
        stand_in.chmod(0o755)
    return folder


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of the gateway that is backed up, and that of the one that is restored."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return here, there


@pytest.fixture
async def people() -> AsyncIterator[AsyncExitStack]:
    """Browsers that outlive a gateway."""
    async with AsyncExitStack() as stack:
        yield stack


@contextmanager
def restored(
    backend: GatewayBackend, request: pytest.FixtureRequest, programs: Path, here: Path, there: Path
) -> Iterator[GatewayBackend]:
    """Restore elsewhere what was backed up ``here``."""
    restore = blocks(PAGE, HEADINGS[backend.name])[1]
    if backend.name == "redis":
        assert restore == "valkey-server --dir . --dbfilename backup.rdb --appendonly no\n", "what follows does that"
        server = RedisServer(data=here / "backup.rdb")
        server.command("CONFIG", "SET", "appendonly", "yes")
        try:
            yield replace(backend, environment={**backend.environment, "REDIS_URL": server.url})
        finally:
            server.close()
        return
    if backend.name == "postgres":
        databases: PostgresServer = request.getfixturevalue("postgres")
        environment = {**backend.environment, "DATABASE_URL": databases.create_database()}
        shell(restore, here, programs, environment)
        yield replace(backend, environment=environment)
        databases.drop_database(environment["DATABASE_URL"])
        return
    shutil.copy(here / "backup.db", there)
    shell(restore, there, programs, {})
    yield replace(backend, environment={**backend.environment, "DATABASE_URL": f"sqlite:///{there}/mcp.db"})


async def call(deployed: DeployedGateway, gateway: str, email: str) -> str:
    async with deployed.api(email) as client:
        answer = await client.post(f"/gateways/{gateway}/mcp", content=CALL, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.text


def refuse_token(switch: FaultSwitch) -> None:
    switch.arm("mcp", status(401, www_authenticate="Bearer"), times=1)


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_who_was_connected_goes_on_and_nothing_counts_twice(
    backend: GatewayBackend,
    request: pytest.FixtureRequest,
    fault_switch: FaultSwitch,
    people: AsyncExitStack,
    places: tuple[Path, Path],
):
    programs: Path = request.getfixturevalue("programs")
    here, there = places
    if backend.name == "sqlite":
        backend = replace(backend, environment={**backend.environment, "DATABASE_URL": f"sqlite:///{here}/mcp.db"})
    backup = blocks(PAGE, HEADINGS[backend.name])[0]
    with deploy_gateway(backend, here) as first:
        gateway = await first.add(fault_switch.provider.mcp_url)
        alice = await people.enter_async_context(first.browser(ALICE))
        bob = await people.enter_async_context(first.browser(BOB))
        used = await first.begin(alice, gateway)
        assert (await alice.open(used)).title == "OAuth Authorization Successful"
        await first.authorize(bob, gateway, user=BOB)
        pending = await first.begin(alice, gateway)
        shell(backup, here, programs, backend.environment)
        assert (await alice.open(pending)).title == "OAuth Authorization Successful"
        refuse_token(fault_switch)
        assert THREE in await call(first, gateway, BOB), "his refresh token is another one from now on"
        port = first.url.rpartition(":")[2]
    file = next(here.glob("backup.*"))
    assert file.stat().st_mode & 0o077 == 0
    with restored(backend, request, programs, here, there) as copy:
        environment = settings_of(copy) | {"BASE_URL": first.url, "PORT": port}
        for line in blocks(PAGE, "After every restore")[0].splitlines():
            if line != "latchpin db upgrade" or backend.name != "redis":
                done = run_latchpin(*line.split()[1:], env=environment, cwd=there)
                assert done.returncode == 0, done.stdout + done.stderr
        with deploy_gateway(copy, there, PORT=port) as second:
            await check_calls(second, gateway, fault_switch)
            for replayed in (used, pending):
                assert "Successful" not in (await alice.open(replayed)).title
            assert fault_switch.asked("token") == [], "no code was taken to the server again"
            await check_renewals(second, gateway, fault_switch)


async def check_calls(second: DeployedGateway, gateway: str, switch: FaultSwitch) -> None:
    switch.forget()
    for email in (ALICE, BOB):
        assert THREE in await call(second, gateway, email)
    assert switch.asked("token") == [], "the tokens of the backup serve"


async def check_renewals(second: DeployedGateway, gateway: str, switch: FaultSwitch) -> None:
    refuse_token(switch)
    told = await call(second, gateway, BOB)
    assert THREE not in told
    assert f"{second.url}/oauth/authorize/{gateway}" in told
    async with second.api(BOB) as client:
        state = (await client.get(f"/oauth/status/{gateway}")).json()["user_token_status"]
    assert state["status"] == "needs_reauth"
    async with second.browser(BOB) as bob:
        await second.authorize(bob, gateway, user=BOB)
    assert THREE in await call(second, gateway, BOB)
    refuse_token(switch)
    assert THREE in await call(second, gateway, ALICE), "what nobody renewed since is renewed"
