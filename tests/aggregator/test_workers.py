"""Two workers over each store: a session begins at one, calls are served by the other, and servers see one session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aggregator.conftest import ERAS, Program, start_group, start_server, text_in, write_set
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE, PATIENCE, DeployedGateway, one_connection_to_each, start_pair


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path) as started:
        yield started


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_session_begins_at_one_worker_and_goes_on_at_the_other(pair: DeployedGateway):
    """Before twenty-five servers, one of which is connected in the middle."""
    with start_group() as group:
        ids = await group.add_to(pair)
        async with one_connection_to_each(pair) as (one, two), asyncio.timeout(180):
            for era in ERAS:
                program = Program(one, f"{pair.url}/mcp", era)
                while not {f"{slug}__shout" for slug in group.open} <= set(await program.tools()):
                    pass  # a busy machine may be late with some
                program.http = two
                calls = (program.call(f"{slug}__shout", text=slug) for slug in group.open)
                assert [text_in(each) for each in await asyncio.gather(*calls)] == [f"{s.upper()}!" for s in group.open]
            program.http = one
            async with pair.browser() as browser:
                await pair.authorize(browser, ids["bound"])
            while "bound__who_am_i" not in await program.tools():
                pass
            program.http = two
            assert ALICE in text_in(await program.call("bound__who_am_i"))
    with_sessions, without = group.alike["sessions-0"].backstage, group.alike["modern-0"].backstage
    assert {name for method, name in with_sessions.methods if method == "tools/call"} != {""}
    assert with_sessions.count("initialize") == 2, "one for lists, one for calls"
    assert without.count("server/discover") == 1


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_set_is_the_same_at_both_workers(pair: DeployedGateway):
    with start_server("sessions") as server:
        ids = [await pair.add(server.url, name=name, auth_type="none") for name in ("One", "Two")]
        await write_set(pair, "dev", gateways=ids[:1])
        async with one_connection_to_each(pair) as (one, two), asyncio.timeout(PATIENCE):
            program = Program(one, f"{pair.url}/mcp/dev", "sessions")
            assert {name.partition("__")[0] for name in await program.tools()} == {"one"}
            program.http = two
            assert text_in(await program.call("one__shout", text="hi")) == "HI!"
            assert "error" in await program.call("two__shout", text="hi")
            await write_set(pair, "dev", gateways=ids[1:])
            for program.http in (one, two):
                while "two__shout" not in await program.tools():
                    pass  # what the other worker wrote is seen within a second
                assert text_in(await program.call("two__shout", text="hi")) == "HI!"
            async with pair.api() as admin:
                assert (await admin.delete("/sets/dev")).is_success
            message, headers = program.message("tools/list")
            for program.http in (one, two):
                while (await program.send(message, headers)).status_code != 404:
                    pass  # as above


@pytest.mark.backends("sqlite")
async def test_a_call_at_one_worker_is_cancelled_by_way_of_the_other(pair: DeployedGateway):
    with start_server("sessions") as server:
        await pair.add(server.url, name="Slow", auth_type="none")
        async with one_connection_to_each(pair) as (one, two):
            here = Program(one, f"{pair.url}/mcp", "sessions")
            await here.begin()
            message, headers = here.message("tools/call", name="slow__wait", arguments={})
            call = asyncio.create_task(here.send(message, headers))
            assert await asyncio.to_thread(server.backstage.begun.wait, 60)
            told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": message["id"]}}
            there = Program(two, here.url, "sessions", session=here.session)
            assert (await there.send(told, there.headers(""))).status_code == 202
            assert await asyncio.to_thread(server.backstage.cancelled.wait, 60)
            call.cancel()
