"""Twenty-five servers behind one URL: of both eras, of two makes, one that is slow, one dead, one that refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.aggregator.conftest import AGES, ERAS, connected, start_server
from tests.aggregator.test_both_eras import text_of
from tests.providers.clients import Age
from tests.proxy.conftest import open_fastmcp_server, read, reply, start_scripted
from tests.support.gateway_process import DeployedGateway

pytestmark = pytest.mark.needs("fastmcp")

ALIKE = 10
"""Servers of each era."""


async def refuse(_scope: Any, receive: Any, send: Any) -> None:
    await read(receive)
    await reply(send, 403, [("content-type", "text/plain")], b"no")


@pytest.fixture(scope="module")
def many(deployed: DeployedGateway):
    """The gateway with all of them; gives the slugs of those that work."""
    with contextlib.ExitStack() as stack:
        places = {
            f"{era}-{number}": stack.enter_context(start_server(era)).url for era in ERAS for number in range(ALIKE)
        }
        places |= {f"fast-{number}": stack.enter_context(open_fastmcp_server()) for number in range(2)}
        working = sorted(places)
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        places["slow"] = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        places["dead"] = "http://127.0.0.1:1/mcp"
        places["refusing"] = stack.enter_context(start_scripted(refuse)).url
        assert len(places) == 25
        for name, url in places.items():
            asyncio.run(deployed.add(url, name=name, auth_type="none"))
        yield working


@pytest.mark.parametrize("age", AGES)
async def test_all_that_work_are_listed_and_called(deployed: DeployedGateway, many: list[str], age: Age):
    async with connected(deployed, age) as client:
        await client.list_tools()
        async for names in settled(client):
            if {f"{slug}__shout" for slug in many} <= names:
                break
        assert "latchpin_connect" in names
        said = text_of(await client.call_tool("latchpin_connect"))
        assert {line.split(" ")[1] for line in said.splitlines()} == {"slow", "dead", "refusing"}
        answers = await asyncio.gather(*(client.call_tool(f"{slug}__shout", {"text": slug}) for slug in many))
        assert [text_of(answer) for answer in answers] == [f"{slug.upper()}!" for slug in many]


async def settled(client: Any) -> AsyncIterator[set[str]]:
    """The names that are listed, again and again: a busy machine may be late with some."""
    async with asyncio.timeout(120):
        while True:
            yield {tool.name for tool in (await client.list_tools()).tools}
