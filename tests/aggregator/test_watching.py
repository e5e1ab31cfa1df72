"""A program that listens is told when a list has changed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.model import Caller
from latchpin.sdk.gateway import sign_out
from latchpin.sdk.identity import end_proof
from latchpin_aggregator.watching import LONGEST, Watching
from latchpin_aggregator.wire import Asked
from mcp.client.subscriptions import ToolsListChanged

from tests.aggregator.conftest import Program, Server, connected, start_gateway, write_set
from tests.support.gateway_in_process import InnerGateway
from tests.support.gateway_process import ALICE, BOB, DeployedGateway


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory):
    with start_gateway(Path(tmp_path_factory.mktemp("gateway")), ONE_ENDPOINT_LOOK_SECONDS="1") as started:
        yield started


@pytest.fixture
async def alice(deployed: DeployedGateway) -> AsyncIterator[Program]:
    async with deployed.api(ALICE) as http:
        yield Program(http, f"{deployed.url}/mcp", "sessions")


async def next_message(lines: AsyncIterator[str]) -> dict[str, Any]:
    async for line in lines:
        if line.startswith("data: "):
            message: dict[str, Any] = json.loads(line.removeprefix("data: "))
            return message
    raise AssertionError("the stream ended")


async def test_in_a_session_it_listens_by_get(deployed: DeployedGateway, alice: Program, modern: Server):
    await alice.begin()
    headers = alice.headers("") | {"accept": "text/event-stream"}
    async with alice.http.stream("GET", alice.url, headers=headers) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        await anext(lines)  # it looks from here on
        await deployed.add(modern.url, name="Another", auth_type="none")
        told = {(await next_message(lines))["method"] for _ in range(3)}
    assert told == {f"notifications/{each}/list_changed" for each in ("prompts", "resources", "tools")}
    assert "another__shout" in await alice.tools()


async def test_a_client_of_2026_subscribes(deployed: DeployedGateway, modern: Server):
    async with connected(deployed, "2026-07-28") as client:
        async with client.listen(tools_list_changed=True) as subscription:
            await deployed.add(modern.url, name="More", auth_type="none")
            assert isinstance(await anext(aiter(subscription)), ToolsListChanged)
        assert "more__shout" in {tool.name for tool in (await client.list_tools()).tools}


async def test_who_listens_at_a_set_is_told_when_it_is_another(deployed: DeployedGateway, modern: Server):
    gateway_id = await deployed.add(modern.url, name="In a set", auth_type="none")
    await write_set(deployed, "dev", gateways=[])
    async with connected(deployed, "2026-07-28", path="/mcp/dev") as client:
        assert (await client.list_tools()).tools == []
        async with client.listen(tools_list_changed=True) as subscription:
            await write_set(deployed, "dev", gateways=[gateway_id])
            assert isinstance(await anext(aiter(subscription)), ToolsListChanged)
        assert "in-a-set__shout" in {tool.name for tool in (await client.list_tools()).tools}


async def test_nobody_listens_in_anothers_session(deployed: DeployedGateway, alice: Program):
    await alice.begin()
    headers = alice.headers("") | {"accept": "text/event-stream"}
    async with deployed.api(BOB) as bob:
        assert (await bob.get(alice.url, headers=headers)).status_code == 404
        assert (await bob.get(alice.url)).status_code == 405
        assert (await bob.delete(alice.url, headers=headers)).status_code == 405


async def test_nobody_listens_without_end(alice: Program):
    await alice.begin()
    headers = alice.headers("") | {"accept": "text/event-stream"}
    async with httpx.AsyncClient(headers=alice.http.headers, trust_env=False, timeout=60) as http:
        streams = [http.stream("GET", alice.url, headers=headers) for _ in range(21)]
        statuses = [(await each.__aenter__()).status_code for each in streams]
        assert statuses == [200] * 20 + [429]
        for each in streams:
            await each.__aexit__(None, None, None)


async def test_who_is_signed_out_while_the_lists_of_their_stream_are_read_hears_nothing(gateway: InnerGateway):
    application, services = gateway.application, gateway.application.services
    sent: list[Any] = []

    class SlowOffers(NoOffers):
        async def get(self, caller: Caller, *, wait: float | None = None) -> list[Any]:
            gateway.clock.advance(seconds=1)
            await sign_out(services, ALICE, actor=ALICE, way="api")
            gateway.clock.advance(minutes=5)
            return []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.start":
            await application.departures.look()

    watching = Watching(SlowOffers(), Counter(), application.departures, seconds=LONGEST)  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        await watching.serve_session(Caller(ALICE, via="session"), Asked({}, receive, send))
    assert sent[-1]["more_body"] is False


class NoOffers:
    async def get(self, caller: Caller, *, wait: float | None = None) -> list[Any]:
        return []


async def test_who_listens_hears_no_more_once_the_programs_grant_has_ended(gateway: InnerGateway):
    application, begun, sent = gateway.application, asyncio.Event(), list[Any]()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            begun.set()

    watching = Watching(NoOffers(), Counter(), application.departures, seconds=LONGEST)  # type: ignore[arg-type]
    caller = Caller(ALICE, via="access-token", stands_on="grant:one")
    served = asyncio.create_task(watching.serve_session(caller, Asked({}, receive, send)))
    await begun.wait()
    await application.departures.look()
    assert not served.done()
    await end_proof(application.services.kept, "grant:one", gateway.clock())
    await application.departures.look()
    async with asyncio.timeout(30):
        await served
    assert sent[-1]["more_body"] is False
