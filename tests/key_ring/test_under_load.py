"""A rotation to its end while two workers serve: ten thousand rows, no failed call, and the old secret taken out."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.application import Application
from latchpin.assembly.assembling import assemble
from latchpin.plugins.hookspecs import SIDE_BY_SIDE
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

from tests.key_ring.conftest import FIRST, NEEDS, SECOND, MovedClock, Process, token_for
from tests.servers import GatewayBackend, latchpin_command, serve_asgi
from tests.servers.gateway import clean_environment
from tests.support.gateway_process import A_MOMENT, DeployedGateway, one_connection_to_each, settings_of, start_pair

pytestmark = [pytest.mark.needs(*NEEDS, "latchpin_proxy"), pytest.mark.backends("sqlite", "redis"), pytest.mark.slow]

ROWS = {"sqlite": 1_500, "redis": 10_000}
"""On a file, each row waits for the disk three times."""
PEOPLE = 50
"""Of whose rows calls are made."""
RING = {"AUTH_ENCRYPTION_SECRET": FIRST, "KEY_SOURCE": "ring"}
CHANGED = RING | {"AUTH_ENCRYPTION_SECRET": SECOND, "AUTH_ENCRYPTION_SECRETS_OLD": f'["{FIRST}"]'}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An MCP server that answers with the token that it got."""
    while (await receive()).get("more_body"):
        pass
    token = dict(scope["headers"]).get(b"authorization", b"").decode()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [], "token": token}}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def beside(environment: pytest.MonkeyPatch, settings: dict[str, str]) -> AsyncIterator[Process]:
    for name, value in settings.items():
        environment.setenv(name, value)
    clock = MovedClock()
    async with assemble(Plugins().without(SIDE_BY_SIDE), load(CoreSettings), clock=clock) as services:
        yield Process(Application(services), clock, None)


async def fill(process: Process, gateway_id: str, rows: int) -> None:
    """A token for each of so many people."""
    tokens = process.services.records.tokens
    for begin in range(0, rows, 500):
        people = (f"user{number}@example.com" for number in range(begin, begin + 500))
        await asyncio.gather(
            *(tokens.put(token_for(process, gateway_id, each, each), replacing=None) for each in people)
        )


class Load:
    """Calls of many people at both workers, one after the other at each, until it is told to end."""

    def __init__(self, served: DeployedGateway, gateway_id: str, rows: int) -> None:
        self.calls = 0
        self.failed: list[str] = []
        self._served = served
        self._url = f"{served.url}/gateways/{gateway_id}/mcp"
        people = [f"user{number * (rows // PEOPLE)}@example.com" for number in range(PEOPLE)]
        self._people = [(each, served.bearer(each)) for each in people]

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        async with one_connection_to_each(self._served) as clients, asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call(client)) for client in clients]
            try:
                yield
            finally:
                for each in tasks:
                    each.cancel()
        assert self.failed == []

    async def _call(self, client: httpx.AsyncClient) -> None:
        for email, bearer in itertools.cycle(self._people):
            headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json, text/event-stream"}
            answer = await client.post(self._url, json=CALL, headers=headers)
            self.calls += 1
            if answer.status_code != 200 or answer.json()["result"]["token"] != f"Bearer access {email}":
                self.failed.append(f"{email}: {answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(A_MOMENT)


async def latchpin(*arguments: str, env: dict[str, str], cwd: Path, kill_at: str = "") -> tuple[int, str, str]:
    """Run a command beside the calls; ``kill_at``: kill it as soon as it says so."""
    process = await asyncio.create_subprocess_exec(
        latchpin_command(),
        *arguments,
        env=clean_environment(env),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    async for line in process.stderr:
        said.append(line.decode())
        if kill_at and re.search(kill_at, said[-1]):
            process.kill()
    out = (await process.stdout.read()).decode()
    return await process.wait(), out, "".join(said)


async def succeeds(*arguments: str, env: dict[str, str], cwd: Path) -> tuple[str, Sequence[str]]:
    code, out, said = await latchpin(*arguments, env=env, cwd=cwd)
    assert code == 0, said
    return out, said.splitlines()


async def test_ten_thousand_rows_under_load(backend: GatewayBackend, tmp_path: Path, environment: pytest.MonkeyPatch):
    rows = ROWS[backend.name]
    env = settings_of(backend) | RING | {"KEY_RING_RESEAL": "false"}
    with serve_asgi(echo, lifespan="off") as url:
        with start_pair(backend, tmp_path, **RING, KEY_RING_RESEAL="false") as served:
            gateway_id = await served.add(f"{url}/mcp", name="echo", oauth_config={"issuer": "https://as.example.com"})
            async with beside(environment, env) as process:
                await fill(process, gateway_id, rows)
            load_ = Load(served, gateway_id, rows)
            async with load_.going_on():
                key, _ = await succeeds("keys", "rotate", env=env, cwd=tmp_path)
                code, _, said = await latchpin("keys", "reseal", env=env, cwd=tmp_path, kill_at=r"\.\.\. [1-9]")
                assert code < 0, said
                _, said_again = await succeeds("keys", "reseal", env=env, cwd=tmp_path)
            assert load_.calls > PEOPLE
            to_do = int(said_again[0].split()[0].replace(",", ""))
            assert 0 < to_do < rows, "it went on where the other was killed"
            assert any(line.startswith("...") for line in said_again), "it shows how far it is"
            report = json.loads((await succeeds("keys", "status", "--json", env=env, cwd=tmp_path))[0])
            assert report["to_reseal"] == 0
            assert {each["id"]: each["rows"].get("users' tokens", 0) for each in report["keys"]}[key.strip()] == rows
        with start_pair(backend, tmp_path, **CHANGED) as served:
            load_ = Load(served, gateway_id, rows)
            async with load_.going_on():
                await succeeds("keys", "reseal", env=settings_of(backend) | CHANGED, cwd=tmp_path)
                report = json.loads(
                    (await succeeds("keys", "status", "--json", env=settings_of(backend) | CHANGED, cwd=tmp_path))[0]
                )
                assert [each["can_go"] for each in report["keys"] if "OLD" in each["where"]] == [True]
        alone = RING | {"AUTH_ENCRYPTION_SECRET": SECOND}
        with start_pair(backend, tmp_path, **alone) as served:
            load_ = Load(served, gateway_id, rows)
            async with load_.going_on():
                while load_.calls < 2 * PEOPLE:  # noqa: ASYNC110
                    await asyncio.sleep(A_MOMENT)
            _, said = await succeeds("keys", "status", env=settings_of(backend) | alone, cwd=tmp_path)
            assert "Everything is sealed under today's key." in said
