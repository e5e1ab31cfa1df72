"""A backup made as docs/back-up.md says, while the gateway serves, is restored elsewhere: who was connected goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.checks import ROOT, read
from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.servers import GatewayBackend, PostgresServer, RedisServer, run_latchpin
from tests.support.gateway_process import ALICE, BOB, DeployedGateway, deploy_gateway, settings_of

NEEDS = ("latchpin_admin_cli", "latchpin_doctor", "latchpin_proxy")
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
THREE = '"structuredContent":{"result":3.0}'
PAGE = read(ROOT / "docs" / "back-up.md")
STAND_INS = ROOT / "tests" / "guide" / "stand_ins.py"
HEADINGS = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB", "redis": "Redis"}


def blocks(heading: str, language: str = "bash") -> list[str]:
    """The blocks of code below a heading of the page: first the backup, then how it is restored."""
    lines = PAGE.text.splitlines()
    first = lines.index(f"## {heading}") + 1
    last = next((number for number, line in enumerate(lines) if number >= first and line.startswith("## ")), len(lines))
    return [block.text for block in PAGE.blocks if first < block.line <= last and block.language == language]


def shell(text: str, folder: Path, programs: Path, settings: Mapping[str, str]) -> None:
    """Run commands in ``folder``, which is the home folder too, with the store's own ``programs``."""
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


def make_places(folder: Path) -> tuple[Path, Path]:
    """The folder of the gateway that is backed up, and that of the one that is restored."""
    here, there = folder / "here", folder / "there"
    here.mkdir()
    there.mkdir()
    return here, there


async def prove_restoring(
    backend: GatewayBackend,
    places: tuple[Path, Path],
    programs: Path,
    switch: FaultSwitch,
    restored: AbstractContextManager[GatewayBackend],
) -> None:
    """See that people who were connected go on, and that nothing counts twice.

    Args:
        backend: what is backed up.
        places: as ``make_places`` gives them.
        programs: the folder of the store's own programs.
        switch: the server that people connect to.
        restored: entering it restores what was backed up in the first of ``places``.
    """
    here, there = places
    async with AsyncExitStack() as people:  # browsers outlive a gateway
        with deploy_gateway(backend, here) as first:
            gateway = await first.add(switch.provider.mcp_url)
            alice = await people.enter_async_context(first.browser(ALICE))
            bob = await people.enter_async_context(first.browser(BOB))
            used = await first.begin(alice, gateway)
            assert (await alice.open(used)).title == "OAuth Authorization Successful"
            await first.authorize(bob, gateway, user=BOB)
            pending = await first.begin(alice, gateway)
            shell(blocks(HEADINGS[backend.name])[0], here, programs, backend.environment)
            assert (await alice.open(pending)).title == "OAuth Authorization Successful"
            refuse_token(switch)
            assert THREE in await call(first, gateway, BOB), "his refresh token is another one from now on"
            port = first.url.rpartition(":")[2]
        file = next(here.glob("backup.*"))
        assert file.stat().st_mode & 0o077 == 0
        with restored as copy:
            _run_after(copy, there, {"BASE_URL": first.url, "PORT": port})
            with deploy_gateway(copy, there, PORT=port) as second:
                await check_calls(second, gateway, switch)
                for replayed in (used, pending):
                    assert "Successful" not in (await alice.open(replayed)).title
                assert switch.asked("token") == [], "no code was taken to the server again"
                await check_renewals(second, gateway, switch)


def _run_after(copy: GatewayBackend, there: Path, settings: Mapping[str, str]) -> None:
    """Do what the page wants after every restore."""
    for line in blocks("After every restore")[0].splitlines():
        if line != "latchpin db upgrade" or copy.name != "redis":
            done = run_latchpin(*line.split()[1:], env={**settings_of(copy), **settings}, cwd=there)
            assert done.returncode == 0, done.stdout + done.stderr


async def call(deployed: DeployedGateway, gateway: str, email: str) -> str:
    async with deployed.api(email) as client:
        answer = await client.post(f"/gateways/{gateway}/mcp", content=CALL, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.text


def refuse_token(switch: FaultSwitch) -> None:
    switch.arm("mcp", status(401, www_authenticate="Bearer"), times=1)


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
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS} redis-cli "$@"\n')
        stand_in.chmod(0o755)
    return folder


@contextmanager
def restored(
    backend: GatewayBackend, request: pytest.FixtureRequest, programs: Path, here: Path, there: Path
) -> Iterator[GatewayBackend]:
    """Restore elsewhere what was backed up ``here``."""
    restore = blocks(HEADINGS[backend.name])[1]
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


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_who_was_connected_goes_on_and_nothing_counts_twice(
    backend: GatewayBackend,
    request: pytest.FixtureRequest,
    fault_switch: FaultSwitch,
    tmp_path: Path,
):
    programs: Path = request.getfixturevalue("programs")
    here, there = make_places(tmp_path)
    if backend.name == "sqlite":
        backend = replace(backend, environment={**backend.environment, "DATABASE_URL": f"sqlite:///{here}/mcp.db"})
    copy = restored(backend, request, programs, here, there)
    await prove_restoring(backend, (here, there), programs, fault_switch, copy)
