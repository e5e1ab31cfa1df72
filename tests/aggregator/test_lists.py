"""Lists come from what is kept: no server that is slow, dead or not connected delays or empties them."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from latchpin_aggregator.eras import ERAS as ERAS_KEPT

from tests.aggregator.conftest import ERAS, Era, Program, Server, start_server, text_in
from tests.providers import sign_in, start_sdk_provider
from tests.proxy.conftest import read, reply, start_scripted
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

BOB = "bob@example.com"


@pytest.fixture(params=ERAS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with start_server(request.param, json_response=True) as started:
        yield started


@pytest.fixture
async def alice(gateway: InnerGateway) -> AsyncIterator[Program]:
    async with gateway.client(ALICE) as http:
        yield Program(http, f"{BASE}/mcp")


@pytest.fixture
def dead() -> str:
    """Nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/mcp"


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


async def test_a_dead_server_is_missing_and_nothing_else(
    gateway: InnerGateway, alice: Program, server: Server, dead: str
):
    await gateway.add(dead, name="Dead", auth_type="none")
    await gateway.add(server.url, name="Alive", auth_type="none")
    tools = await alice.tools()
    assert {name for name in tools if not name.startswith("alive__")} == {"latchpin_connect"}
    assert "alive__shout" in tools
    assert "Dead (dead) cannot be used now" in text_in(await alice.call("latchpin_connect"))
    assert text_in(await alice.call("alive__shout", text="hi")) == "HI!"
    refused = await alice.call("dead__anything")
    assert "Dead: " in refused["error"]["message"]


async def test_a_silent_server_delays_the_first_list_once(
    gateway: InnerGateway, alice: Program, server: Server, silent: str
):
    await gateway.add(silent, name="Silent", auth_type="none")
    await gateway.add(server.url, name="Alive", auth_type="none")
    assert "alive__shout" in await alice.tools()
    async with asyncio.timeout(60):  # thirty waits would take ninety
        for _ in range(30):
            assert "alive__shout" in await alice.tools()
        assert "Silent (silent) cannot be used now: it has not answered yet" in text_in(
            await alice.call("latchpin_connect")
        )


async def test_lists_are_renewed_on_the_side(gateway: InnerGateway, alice: Program, server: Server):
    await gateway.add(server.url, name="Alive", auth_type="none")
    gateway.clock.stop()
    asked = server.backstage.count
    await alice.tools()
    before = asked("tools/list")
    assert before == 1
    gateway.clock.advance(seconds=59)
    await alice.tools()
    assert asked("tools/list") == before, "it holds for a minute"
    gateway.clock.advance(seconds=2)
    assert "alive__shout" in await alice.tools()
    while asked("tools/list") == before:  # noqa: ASYNC110  another program's step is waited for
        await asyncio.sleep(0)


async def test_what_was_listed_stays_when_the_server_dies(gateway: InnerGateway, alice: Program):
    with start_server("modern", json_response=True) as server:
        await gateway.add(server.url, name="Mortal", auth_type="none")
        before = await alice.tools()
    gateway.clock.advance(minutes=5)
    for _ in range(2):
        assert await alice.tools() == before


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_another_worker_has_what_is_kept(pair: tuple[InnerGateway, InnerGateway], server: Server):
    one, two = pair
    await one.add(server.url, name="Alive", auth_type="none")
    for era in ERAS:
        async with one.client(ALICE) as first, two.client(ALICE) as second:
            program = Program(first, f"{BASE}/mcp", era)
            assert "alive__shout" in await program.tools()
            assert text_in(await program.call("alive__shout", text="hi")) == "HI!"
            program.http = second
            asked = server.backstage.count("tools/list")
            assert "alive__shout" in await program.tools()
            assert server.backstage.count("tools/list") == asked
            assert text_in(await program.call("alive__shout", text="hi")) == "HI!"
    # Lists are asked for in the name of a program that can be asked everything, calls in the name of these two.
    sessions = 2 if server.backstage.era == "sessions" else 0
    assert server.backstage.count("initialize") == sessions, "one of each kind for both workers and all programs"


@pytest.mark.parametrize("era", ERAS)
async def test_who_has_not_connected_is_told_how(gateway: InnerGateway, server: Server, era: Era):
    with start_sdk_provider() as provider:
        await gateway.add(server.url, name="Open", auth_type="none")
        gateway_id = await gateway.add(provider.mcp_url, name="Protected")
        async with gateway.client(ALICE) as http, gateway.browser() as browser:
            program = Program(http, f"{BASE}/mcp", era)
            assert {name for name in await program.tools() if not name.startswith("open__")} == {"latchpin_connect"}
            text = text_in(await program.call("latchpin_connect"))
            assert "Protected (protected) waits for your authorization" in text
            told = await program.call("protected__whose")
            assert told["result"]["isError"]
            (link,) = set(re.findall(rf"{BASE}/oauth/authorize/{gateway_id}/for/[\w-]+", text + text_in(told)))
            await browser.open(link)
            assert (await sign_in(browser)).title == "OAuth Authorization Successful"
            tools = await program.tools()
            assert "protected__whose" in tools
            assert "latchpin_connect" not in tools
            assert text_in(await program.call("protected__whose")) == ALICE
        async with gateway.client(BOB) as http:
            assert "protected__whose" not in await Program(http, f"{BASE}/mcp", era).tools()


async def test_a_list_is_for_no_shared_cache(gateway: InnerGateway, alice: Program, server: Server):
    await gateway.add(server.url, name="Open", auth_type="none")
    for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
        result = (await alice.ask(method))["result"]
        assert result["cacheScope"] == "private"
        assert 1_000 <= result["ttlMs"] <= 60_000
        assert result["resultType"] == "complete"


async def test_who_may_not_use_a_gateway_does_not_see_it(gateway: InnerGateway, alice: Program, server: Server):
    await gateway.add(server.url, name="Hidden", auth_type="none", allowed_users=[BOB])
    assert await alice.tools() == {}
    refused = await alice.call("hidden__shout", text="hi")
    assert refused["error"]["code"] == -32602
    assert server.backstage.methods == []


async def test_no_name_is_there_twice(gateway: InnerGateway, alice: Program, server: Server):
    for _ in range(3):
        await gateway.add(server.url, name="Same name", auth_type="none")
    slugs = {name.partition("__")[0] for name in await alice.tools()}
    assert slugs == {"same-name", "same-name-2", "same-name-3"}


async def test_an_unknown_name_gets_the_nearest(gateway: InnerGateway, alice: Program, server: Server):
    await gateway.add(server.url, name="Open", auth_type="none")
    await alice.tools()
    for name in ("open__shoot", "opn__shout", "shout"):
        error = (await alice.call(name))["error"]
        assert error["code"] == -32602
        assert "open__shout" in error["data"]["nearest"], error
    assert isinstance(alice.last, httpx.Response)
    assert alice.last.status_code == 400


async def test_a_server_that_changes_its_ways_is_asked_anew(gateway: InnerGateway, alice: Program):
    with start_server("modern", json_response=True) as server:
        await gateway.add(server.url, name="Changing", auth_type="none")
        assert text_in(await alice.call("changing__shout", text="hi")) == "HI!"
        for era in reversed(ERAS):
            server.turn(era)
            async with asyncio.timeout(60):
                while "error" in await alice.call("changing__shout", text="hi"):
                    gateway.clock.advance(minutes=5)
                    await alice.tools()


async def test_a_server_that_is_out_of_order_is_not_taken_for_an_old_one(gateway: InnerGateway, alice: Program):
    async def broken(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await reply(send, 500, [("content-type", "text/plain")], b"out of order")

    with start_scripted(broken) as scripted:
        await gateway.add(scripted.url, name="Broken", auth_type="none")
        assert set(await alice.tools()) == {"latchpin_connect"}
    eras = gateway.application.services.context.collection(ERAS_KEPT)
    assert await eras.scan(limit=1) == []


async def test_names_that_nobody_offers_do_not_keep_a_server_busy(
    gateway: InnerGateway, alice: Program, server: Server
):
    await gateway.add(server.url, name="Open", auth_type="none")
    await alice.tools()
    asked = server.backstage.count("tools/list")
    for number in range(5):
        assert "error" in await alice.call(f"open__nothing_{number}")
    assert server.backstage.count("tools/list") == asked


async def test_what_one_person_meets_hides_no_server_from_others(gateway: InnerGateway, alice: Program):
    """A server that fails for her serves him."""

    async def script(scope: Any, receive: Any, send: Any) -> None:
        message = json.loads(await read(receive))
        if message["method"] == "server/discover" and not served:
            served.append(True)
            await reply(send, 503, [("content-type", "text/plain")], b"not for her")
            return
        tools = [{"name": "a", "inputSchema": {"type": "object"}}]
        results = {"server/discover": {"supportedVersions": ["2026-07-28"]}, "tools/list": {"tools": tools}}
        found = results.get(message["method"])
        answer = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}).encode()
        await reply(send, 200, [("content-type", "application/json")], body)

    served: list[bool] = []
    with start_scripted(script) as scripted:
        await gateway.add(scripted.url, name="Odd", auth_type="none")
        assert set(await alice.tools()) == {"latchpin_connect"}
        async with gateway.client(BOB) as http:
            assert set(await Program(http, f"{BASE}/mcp").tools()) == {"odd__a"}


async def test_a_connection_that_nobody_gets_is_tried_once_for_all(gateway: InnerGateway, alice: Program, dead: str):
    await gateway.add(dead, name="Dead", auth_type="none")
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("latchpin").addHandler(handler)
    try:
        await alice.tools()
        async with gateway.client(BOB) as http:
            assert "latchpin_connect" in await Program(http, f"{BASE}/mcp").tools()
    finally:
        logging.getLogger("latchpin").removeHandler(handler)
    assert len([line for line in logged if "could not be reached" in line]) == 1
