"""The demo's servers and a client that talks to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.providers import PlainClient, start_demo_provider
from tests.providers.servers import DemoProvider


@pytest.fixture
def demo() -> Iterator[DemoProvider]:
    with start_demo_provider() as provider:
        yield provider


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as opened:
        yield opened


@pytest.fixture
async def client(demo: DemoProvider) -> AsyncIterator[PlainClient]:
    """A client that knows the servers and is registered."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        plain = PlainClient(http, demo.mcp_url)
        await plain.discover()
        (await plain.register()).raise_for_status()
        yield plain
