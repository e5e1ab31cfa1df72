"""Two workers, as behind a load balancer without sticky sessions: one begins, the other completes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers import FaultSwitch, faults, start_sdk_provider
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import (
    DeployedGateway,
    callback_of,
    complete_on_the_other,
    one_browser_on_each,
    settings_of,
    start_pair,
)


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path) as deployed:
        yield deployed


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_what_one_worker_began_the_other_completes(pair: DeployedGateway, fault_switch: FaultSwitch):
    await complete_on_the_other(pair, fault_switch.provider)


@pytest.mark.backends("postgres", "redis")
async def test_so_with_the_mcp_sdks_own_servers(pair: DeployedGateway):
    with start_sdk_provider() as provider:
        await complete_on_the_other(pair, provider)


@pytest.mark.needs("fastmcp")
@pytest.mark.backends("postgres", "redis")
async def test_so_with_fastmcps_servers(pair: DeployedGateway):
    from tests.providers.servers import start_fastmcp_provider

    with start_fastmcp_provider() as provider:
        await complete_on_the_other(pair, provider)


@pytest.mark.backends("sqlite", "redis")
async def test_a_worker_that_dies_takes_the_code_under_way_along_and_nothing_else(
    pair: DeployedGateway, fault_switch: FaultSwitch
):
    gateway, arrived = await pair.add(fault_switch.provider.mcp_url), threading.Event()

    async def hang(app: Any, scope: Any, receive: Any, send: Any) -> None:
        arrived.set()
        await faults.hang()(app, scope, receive, send)

    async with one_browser_on_each(pair) as (first, second, _, _):
        returned = await callback_of(pair, first, gateway)
        second.cookies.update(first.cookies)
        fault_switch.arm("token", hang)
        dying = asyncio.create_task(second.open(returned))
        assert await asyncio.to_thread(arrived.wait, 60), "the code did not come"
        validated = re.search(r"(\d+) latchpin\.flow DEBUG - Successfully validated", pair.log)
        assert validated
        os.kill(int(validated[1]), signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await dying
        fault_switch.heal()
        page = await first.open(returned)
        assert (page.status, page.title) == (400, "This authorization was already used")
        page = await first.open(await callback_of(pair, first, gateway))
        assert page.title == "OAuth Authorization Successful", page.text
    assert len(fault_switch.asked("token")) == 2, "each code was sent once"


@pytest.mark.backends("memory")
def test_memory_with_two_workers_is_refused_with_the_remedy(backend: GatewayBackend, tmp_path: Path):
    ended = run_latchpin("serve", "--workers", "2", env=settings_of(backend), cwd=tmp_path)
    assert ended.returncode == 1
    assert "CACHE_TYPE=memory with WORKERS=2" in ended.stderr
    assert "CACHE_TYPE=database" in ended.stderr


@pytest.mark.backends("sqlite")
def test_the_workers_say_in_ps_what_they_are(pair: DeployedGateway):
    titles = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == pair.folder:
                titles.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
    assert {"latchpin: uvicorn worker 1/2", "latchpin: uvicorn worker 2/2"} <= titles
