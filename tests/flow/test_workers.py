"""Two workers, as behind a load balancer without sticky sessions: one begins, the other completes."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from latchpin.demo.browser import Browser

from tests.flow.rig import ALICE, USER_HEADER, Rig, settings_of, start_rig
from tests.providers import FaultSwitch, Provider, sign_in, start_sdk_provider
from tests.servers import GatewayBackend, run_latchpin

MOST_CONNECTIONS = 200


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[Rig]:
    with start_rig(backend, tmp_path, "serve", "--workers", "2") as rig:
        rig.process.wait_for_output("Application startup complete", times=2)  # the first to serve is not both
        yield rig


@contextlib.asynccontextmanager
async def one_browser_on_each(rig: Rig) -> AsyncIterator[tuple[Browser, Browser, str, str]]:
    """Two kept-alive connections of one person, to different workers, and the workers' instance ids."""
    async with contextlib.AsyncExitStack() as stack:
        found: dict[str, httpx.AsyncClient] = {}
        for _ in range(MOST_CONNECTIONS):
            client = httpx.AsyncClient(headers={USER_HEADER: ALICE}, trust_env=False, timeout=60)
            stack.push_async_callback(client.aclose)
            instance = (await client.get(f"{rig.url}/ready")).json()["instance"]
            if instance in found:
                continue
            found[instance] = client
            if len(found) == 2:
                break
        assert len(found) == 2, "the second worker never answered"
        (one, first), (two, second) = found.items()
        yield Browser(first), Browser(second), one, two


def issued_by(callback_url: str) -> str:
    head = parse_qs(urlsplit(callback_url).query)["state"][0].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=="))["instance"])


async def callback_of(pair: Rig, browser: Browser, gateway: str) -> str:
    """Go through the provider, whether it asks for consent or not, and stop before the callback."""
    page = await browser.open(f"{pair.url}/oauth/authorize/{gateway}", follow=False)
    while (location := page.headers.get("location")) and not location.startswith(f"{pair.url}/oauth/callback"):
        page = await browser.open(urljoin(page.url, location), follow=False)
    return str(location or (await sign_in(browser, follow=False)).headers["location"])


async def complete_on_the_other(pair: Rig, provider: Provider) -> None:
    """Begin on one worker, complete on the other, and fetch the tools there."""
    gateway = await pair.add(provider.mcp_url)
    async with one_browser_on_each(pair) as (first, second, one, two):
        returned = await callback_of(pair, first, gateway)
        second.cookies.update(first.cookies)  # one person's browser, two connections
        page = await second.open(returned)
        assert page.title == "OAuth Authorization Successful", page.text
        assert issued_by(returned) == one
        assert one != two
        page = await second.submit(page.form(action="fetch-tools"))
        assert f"Successfully fetched and created {len(provider.tools)} tools" in page.text
    stored = re.search(r"(\d+) latchpin\.flow DEBUG - Stored", pair.log)
    completed = re.search(r"(\d+) latchpin\.flow INFO - Completed", pair.log)
    assert stored
    assert completed
    assert stored[1] != completed[1], "the same process did both"


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_what_one_worker_began_the_other_completes(pair: Rig, fault_switch: FaultSwitch):
    await complete_on_the_other(pair, fault_switch.provider)


@pytest.mark.backends("postgres", "redis")
async def test_so_with_the_mcp_sdks_own_servers(pair: Rig):
    with start_sdk_provider() as provider:
        await complete_on_the_other(pair, provider)


@pytest.mark.needs("fastmcp")
@pytest.mark.backends("postgres", "redis")
async def test_so_with_fastmcps_servers(pair: Rig):
    from tests.providers.fastmcp_provider import start_fastmcp_provider

    with start_fastmcp_provider() as provider:
        await complete_on_the_other(pair, provider)


@pytest.mark.backends("memory")
def test_memory_with_two_workers_is_refused_with_the_remedy(backend: GatewayBackend, tmp_path: Path):
    ended = run_latchpin("serve", "--workers", "2", env=settings_of(backend), cwd=tmp_path)
    assert ended.returncode == 1
    assert "CACHE_TYPE=memory with WORKERS=2" in ended.stderr
    assert "CACHE_TYPE=database" in ended.stderr


@pytest.mark.backends("sqlite")
def test_the_workers_say_in_ps_what_they_are(pair: Rig):
    titles = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == pair.folder:
                titles.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
    assert {"latchpin: uvicorn worker 1/2", "latchpin: uvicorn worker 2/2"} <= titles
