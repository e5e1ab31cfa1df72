"""Serving processes announce themselves, are compared, and are forgotten; and this machine's processes are counted."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from latchpin.contracts import Severity
from latchpin.serving import announcing
from latchpin.serving.announcing import announced
from latchpin.workers.instances import LIFE, list_instances
from latchpin_doctor.processes import serving_processes

from tests.doctor.conftest import of_check, one
from tests.servers import GatewayBackend, RedisServer
from tests.support.gateway_in_process import SECRET, open_gateway

SHARED = pytest.mark.backends("sqlite", "postgres", "redis")


@SHARED
async def test_a_process_is_listed_while_it_serves(settings, diagnose):
    async with open_gateway() as gateway:
        services = gateway.application.services
        (here,) = await list_instances(services.kept, services.clock)
        assert here.id == services.instance_id
        assert here.facts["pid"] == str(os.getpid())
        assert here.facts["signing_key"] == services.signer.key_id
        assert here.facts["state_data"]
        assert SECRET not in str(here)
        gateway.clock.advance(seconds=LIFE.total_seconds())
        assert await list_instances(services.kept, services.clock) == []
        gateway.clock.advance(seconds=-LIFE.total_seconds())
    skipped = one(await diagnose(), "No running instance was found")
    assert skipped.severity is Severity.SKIPPED


@pytest.mark.backends("sqlite")
async def test_it_says_so_again_before_it_is_forgotten(settings, monkeypatch: pytest.MonkeyPatch):
    async with open_gateway() as gateway:
        services = gateway.application.services
        kept = services.kept
        (before,) = await list_instances(kept, services.clock)
        await announcing.announce(services)
        (after,) = await list_instances(kept, services.clock)
        assert after.seen_at > before.seen_at
        async with announced(services):
            pass
        assert await list_instances(kept, services.clock) == [], "it takes its entry back"
    assert timedelta(seconds=2 * announcing.INTERVAL_SECONDS) < LIFE


@pytest.mark.backends("sqlite")
async def test_what_died_or_cannot_be_read_does_not_count(settings, diagnose):
    async with open_gateway() as gateway:
        services = gateway.application.services
        machine = services.instance_id.partition("-")[0]
        for name in (f"{machine}-7fffffff-1-00000000", "of-a-later-version"):
            facts = {"signing_key": "other", "sealing_key": "other", "pid": "2147483647"}
            entry = {"host": "here", "seen_at": services.clock().isoformat(), "facts": facts}
            text = json.dumps(entry) if name.startswith(machine) else "{}"
            await services.kept.put(f"instance:{name}", text)
        assert of_check(await diagnose(), "secrets")[0].severity is Severity.OK


@SHARED
async def test_two_addresses(settings, diagnose):
    async with open_gateway():
        settings.setenv("BASE_URL", "http://127.0.0.1:4444")
        async with open_gateway():
            finding = one(await diagnose(), "Instances have different BASE_URLs")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "browser-changed")
    assert "http://127.0.0.1:4444" in finding.detail
    assert "http://localhost:4444" in finding.detail


@pytest.mark.backends("sqlite", "postgres")
@pytest.mark.needs("latchpin_redis_store")
async def test_two_redis_servers_of_one_kind(settings, diagnose, backend: GatewayBackend, redis_server: RedisServer):
    redis_server.flush()
    settings.setenv("CACHE_TYPE", "redis")
    settings.setenv("REDIS_URL", f"redis://127.0.0.1:{redis_server.port}/0")
    async with open_gateway():
        settings.setenv("REDIS_URL", f"redis://127.0.0.1:{redis_server.port}/1")
        async with open_gateway():
            finding = one(await diagnose(), "Instances have stores with different data")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "state-never-stored")


# -- the processes of this machine ------------------------------------------------------------------------


def process(proc: Path, pid: int, parent: int, command: str, folder: Path) -> None:
    entry = proc / str(pid)
    entry.mkdir(parents=True)
    (entry / "cwd").symlink_to(folder)
    (entry / "cmdline").write_bytes(command.replace(" ", "\0").encode())
    (entry / "stat").write_text(f"{pid} (a name (with) brackets) S {parent} 1 1 0")


def test_workers_of_each_server_are_counted_and_nothing_else(tmp_path: Path):
    proc, here, elsewhere = tmp_path / "proc", tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    for pid, parent, command in [
        (10, 1, "latchpin: uvicorn supervisor"),
        (11, 10, "latchpin: uvicorn worker 1/2"),
        (12, 10, "latchpin: uvicorn worker 2/2"),
        (20, 1, "gunicorn: master [latchpin.asgi:app]"),
        (21, 20, "gunicorn: worker [latchpin.asgi:app]"),
        (30, 1, "python -m uvicorn latchpin.asgi:app --workers 2"),
        (31, 30, "python -c from multiprocessing.spawn import spawn_main; spawn_main()"),
        (32, 30, "python -c from multiprocessing.resource_tracker import main;main(5)"),
        (40, 1, "hypercorn latchpin.asgi:app"),
        (50, 1, "latchpin gateways list"),
        (51, 50, "python -c from multiprocessing.spawn import spawn_main; spawn_main()"),
    ]:
        process(proc, pid, parent, command, here)
    process(proc, 60, 1, "latchpin: uvicorn worker 1/1", elsewhere)
    (proc / "70").mkdir()
    assert [each.pid for each in serving_processes(here, proc=proc)] == [11, 12, 21, 31, 40]
    assert [each.pid for each in serving_processes(elsewhere, proc=proc)] == [60]
    assert serving_processes(here, proc=tmp_path / "no-proc") == []
