"""A backup made as docs/back-up.md says, while the gateway serves, is restored elsewhere: who was connected goes on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backup.restoring import HEADINGS, blocks, make_places, prove_restoring, shell
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, PostgresServer, RedisServer

NEEDS = ("latchpin_admin_cli", "latchpin_doctor", "latchpin_proxy")


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
