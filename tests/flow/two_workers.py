"""A gateway with two workers, as behind a load balancer without sticky sessions, and a person who meets both."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from latchpin_demo.browser import Browser

from tests.flow.rig import ALICE, USER_HEADER, Rig, start_rig
from tests.providers import Provider, sign_in
from tests.servers import GatewayBackend

__all__ = ["callback_of", "complete_on_the_other", "issued_by", "one_browser_on_each", "start_pair"]

PATIENCE = 120
"""Seconds until both workers must have taken a connection: which of them takes one is the system's choice."""


@contextlib.contextmanager
def start_pair(backend: GatewayBackend, folder: Path, **settings: str) -> Iterator[Rig]:
    """Serve with two workers; both are ready."""
    with start_rig(backend, folder, "serve", "--workers", "2", **settings) as rig:
        rig.process.wait_for_output("Application startup complete", times=2)  # the first to serve is not both
        yield rig


@contextlib.asynccontextmanager
async def one_browser_on_each(rig: Rig) -> AsyncIterator[tuple[Browser, Browser, str, str]]:
    """Two kept-alive connections of one person, to different workers, and the workers' instance ids."""
    async with contextlib.AsyncExitStack() as stack:
        found: dict[str, httpx.AsyncClient] = {}
        async with asyncio.timeout(PATIENCE):
            while len(found) < 2:
                client = httpx.AsyncClient(headers={USER_HEADER: ALICE}, trust_env=False, timeout=60)
                instance = (await client.get(f"{rig.url}/ready")).json()["instance"]
                if instance in found:
                    await client.aclose()
                    continue
                found[instance] = client
                stack.push_async_callback(client.aclose)
        (one, first), (two, second) = found.items()
        yield Browser(first), Browser(second), one, two


def issued_by(callback_url: str) -> str:
    """The instance that issued the state."""
    head = parse_qs(urlsplit(callback_url).query)["state"][0].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=="))["instance"])


async def callback_of(pair: Rig, browser: Browser, gateway: str) -> str:
    """Go through the provider, whether it asks for consent or not, and stop before the callback."""
    page = await browser.open(f"{pair.url}/oauth/authorize/{gateway}", follow=False)
    while (location := page.headers.get("location")) and not location.startswith(f"{pair.url}/oauth/callback"):
        page = await browser.open(urljoin(page.url, location), follow=False)
    return str(location or (await sign_in(browser, follow=False)).headers["location"])


async def complete_on_the_other(pair: Rig, provider: Provider) -> str:
    """Begin on one worker, complete on the other, and fetch the tools there; return the gateway's id."""
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
    return gateway
