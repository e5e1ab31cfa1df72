"""How many exchanges may be under way, and how long one may be silent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.proxy.conftest import ScriptedServer, begin, open_endpoint, read
from tests.servers import GatewayBackend
from tests.servers.processes import HOST
from tests.support.gateway_process import ALICE, BOB, DeployedGateway, deploy_gateway

NEEDS = ("latchpin_proxy", "latchpin_memory_store")


MEMORY = GatewayBackend("memory", {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}, shared=False, label="memory")
IDLE = 2
"""Seconds that an exchange of the impatient gateway may be silent."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    limits = {"PROXY_MAX_EXCHANGES": "3", "PROXY_MAX_EXCHANGES_PER_USER": "2"}
    with deploy_gateway(MEMORY, Path(tmp_path_factory.mktemp("gateway")), **limits) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with deploy_gateway(MEMORY, Path(tmp_path_factory.mktemp("impatient")), PROXY_IDLE_TIMEOUT=str(IDLE)) as deployed:
        yield deployed


@pytest.fixture
async def soon_ended(impatient: DeployedGateway, scripted: ScriptedServer) -> str:
    """The endpoint of the impatient gateway."""
    return await open_endpoint(impatient, scripted)


async def keeps_talking(_scope, receive, send):
    await read(receive)
    await begin(send, 200, [("content-type", "text/event-stream")])
    gone = asyncio.ensure_future(_gone(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
        await asyncio.wait({gone}, timeout=0.05)


async def _gone(receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_streams_are_counted_by_user_and_in_all(proxy: DeployedGateway, opened: str, scripted: ScriptedServer):
    scripted.script = keeps_talking
    async with proxy.api(ALICE) as alice, proxy.api(BOB) as bob, proxy.api("carol@example.com") as carol:
        async with alice.stream("GET", opened) as first, alice.stream("GET", opened):
            third = await alice.get(opened)
            assert (third.status_code, third.json()["cause"]) == (429, "too-many-exchanges")
            assert third.headers["retry-after"] == "30"
            async with bob.stream("GET", opened) as bobs:
                assert bobs.status_code == first.status_code == 200
                assert (await carol.get(opened)).status_code == 429
        assert await _served_in_the_end(carol, opened) == 200


async def _served_in_the_end(client: httpx.AsyncClient, url: str) -> int:
    """Ask until the streams that were closed are seen to be."""
    async with asyncio.timeout(60):
        while True:
            async with client.stream("GET", url) as answer:
                if answer.status_code != 429:
                    return answer.status_code


async def silent(_scope, receive, send):
    await read(receive)
    await _gone(receive)


async def silent_later(_scope, receive, send):
    await begin(send, 200, [("content-type", "text/event-stream")])
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    await _gone(receive)


async def test_a_server_that_says_nothing_is_given_up(
    impatient: DeployedGateway, soon_ended: str, scripted: ScriptedServer
):
    scripted.script = silent
    async with impatient.api(ALICE) as alice:
        answer = await alice.post(soon_ended, content=b"{}")
    assert (answer.status_code, answer.json()["cause"]) == (504, "provider-timeout")


async def test_a_stream_that_falls_silent_ends(impatient: DeployedGateway, soon_ended: str, scripted: ScriptedServer):
    scripted.script = silent_later
    async with impatient.api(ALICE) as alice:
        assert (await alice.get(soon_ended)).content == b"data: 1\n\n"


async def test_a_stream_that_keeps_talking_outlives_the_idle_limit(
    impatient: DeployedGateway, soon_ended: str, scripted: ScriptedServer
):
    scripted.script = keeps_talking
    loop = asyncio.get_running_loop()
    async with impatient.api(ALICE) as alice, alice.stream("GET", soon_ended) as answer:
        began, pieces = loop.time(), answer.aiter_raw()
        while loop.time() - began < 1.5 * IDLE:
            assert await anext(pieces, None) is not None, "the stream ended"


async def test_a_caller_who_does_not_finish_a_body_is_told(impatient: DeployedGateway, soon_ended: str):
    place = soon_ended.removeprefix(impatient.url)
    head = [
        f"POST {place} HTTP/1.1",
        f"Host: {HOST}:{impatient.process.port}",
        f"Authorization: Bearer {impatient.bearer(ALICE)}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    reader, writer = await asyncio.open_connection(HOST, impatient.process.port)
    try:
        writer.write("\r\n".join([*head, "", "1", "{", ""]).encode())  # a first piece, and no more
        async with asyncio.timeout(60):
            assert b" 408 " in await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()
