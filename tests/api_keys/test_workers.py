"""Keys that all workers share, and the commands that enter them beside a gateway that serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_keys.conftest import HEADER, KEY, OTHER
from tests.api_keys.keyed_server import start_keyed
from tests.api_keys.test_keys import CALL, JSON
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import ALICE, DeployedGateway, one_connection_to_each, settings_of, start_pair

NEEDS = ("latchpin_admin_cli",)

pytestmark = pytest.mark.backends("sqlite")


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path) as started:
        yield started


async def test_a_key_entered_at_one_worker_or_by_command_serves_at_the_other(
    pair: DeployedGateway, backend: GatewayBackend, tmp_path: Path
):
    def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
        done = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path, stdin=stdin)
        return done.returncode, done.stdout + done.stderr

    with start_keyed((HEADER.lower(), KEY), ("x-other", f"Key {OTHER}")) as server:
        options = ("--auth", "api_key", "--api-key-header", HEADER, "--name", "Keyed", "--json")
        status, said = run("gateways", "add", server.url, *options)
        assert status == 0, said
        gateway = json.loads(said)
        assert gateway["api_key"] == {"header": HEADER, "prefix": ""}
        path = f"{pair.url}/gateways/{gateway['id']}"
        async with one_connection_to_each(pair) as (one, two):
            assert (await one.put(f"{path}/key", json={"key": KEY})).json()["tools"] == 2
            answer = await two.post(f"{path}/mcp", json=CALL, headers=JSON)
            assert answer.json()["result"]["content"][0]["text"] == "3"
            changed = ("--api-key-header", "X-Other", "--api-key-prefix", "Key ")
            assert run("gateways", "edit", "Keyed", *changed)[0] == 0
            status, said = run("connections", "set-key", "Keyed", "--email", ALICE, stdin=f"{KEY}\n")
            assert (status, "did not take it: it answered HTTP 401" in said) == (1, True)
            status, said = run("connections", "set-key", "Keyed", "--email", ALICE, stdin=f"{OTHER}\n")
            assert (status, "offers 2 tools" in said) == (0, True), said
            assert OTHER not in said
            for worker in (one, two):
                server.arrived.clear()
                while not server.shown("x-other"):  # until it has read what the commands wrote, within a second
                    await worker.post(f"{path}/mcp", json=CALL, headers=JSON)
                assert server.shown("x-other") == {f"Key {OTHER}"}
                assert not any(OTHER in value for value in server.shown(HEADER))
        status, said = run("connections", "set-key", "Keyed", stdin=OTHER)
        assert (status, "Say it with --email" in said) == (1, True)
