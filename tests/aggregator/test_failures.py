"""What goes wrong between the endpoint and a server, and what a program is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.aggregator.conftest import ERAS, Program, start_server, text_in
from tests.proxy.conftest import read, reply, start_scripted
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

JSON = ("content-type", "application/json")


@pytest.fixture(params=ERAS)
async def alice(gateway: InnerGateway, request: pytest.FixtureRequest) -> AsyncIterator[Program]:
    async with gateway.client(ALICE) as http:
        yield Program(http, f"{BASE}/mcp", request.param)


async def test_a_session_that_the_server_has_lost_is_begun_anew(gateway: InnerGateway, alice: Program):
    with start_server("sessions", json_response=True) as server:
        await gateway.add(server.url, name="Open", auth_type="none")
        assert text_in(await alice.call("open__shout", text="hi")) == "HI!"
        begun, called = server.backstage.count("initialize"), server.backstage.count("tools/call")
        server.backstage.forgets = True
        assert text_in(await alice.call("open__shout", text="hi")) == "HI!"
        assert server.backstage.count("initialize") == begun + 1
        assert server.backstage.count("tools/call") == called + 2, "the first one was not served"


async def test_many_calls_at_once_share_one_session(gateway: InnerGateway, alice: Program):
    with start_server("sessions", json_response=True) as server:
        await gateway.add(server.url, name="Open", auth_type="none")
        if alice.era == "sessions":
            await alice.begin()
        answers = await asyncio.gather(*(alice.call("open__shout", text=str(number)) for number in range(20)))
        assert [text_in(answer) for answer in answers] == [f"{number}!" for number in range(20)]
        assert server.backstage.count("initialize") == 2, "one for lists, one for calls"


async def test_a_server_without_sessions_is_asked_for_one_again_after_a_while(gateway: InnerGateway):
    """There it could ask the person something: that is worth a try, but not with every call."""
    async with gateway.client(ALICE) as http:
        alice = Program(http, f"{BASE}/mcp", "sessions", {"elicitation": {}})
        with start_server("modern", json_response=True) as server:
            await gateway.add(server.url, name="Open", auth_type="none")
            for tries in (1, 1, 2):
                assert text_in(await alice.call("open__shout", text="hi")) == "HI!"
                assert server.backstage.count("initialize") == tries
                gateway.clock.advance(minutes=31)


ODD: dict[str, tuple[int, tuple[str, str], bytes]] = {
    "html": (200, ("content-type", "text/html"), b"<html>"),
    "not JSON": (200, JSON, b"{"),
    "no answer": (200, JSON, b"[]"),
    "server error": (500, ("content-type", "text/plain"), b"oops"),
    "not found": (404, ("content-type", "text/plain"), b""),
    "empty stream": (200, ("content-type", "text/event-stream"), b""),
}


AS_IT_IS = {"not JSON", "no answer", "empty stream"}
"""What passes as at the gateway's own endpoint, where program and server speak alike."""


@pytest.mark.parametrize("odd", ODD)
async def test_an_answer_that_is_none_becomes_an_error_in_the_programs_words(
    gateway: InnerGateway, alice: Program, odd: str
):
    status, kind, body = ODD[odd]

    async def script(_scope: Any, receive: Any, send: Any) -> None:
        message = json.loads(await read(receive))
        results: dict[str, Any] = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {}},
            "tools/list": {"tools": [{"name": "odd", "inputSchema": {"type": "object"}}]},
        }
        if message["method"] in results:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
            await reply(send, 200, [JSON], json.dumps(answer).encode())
        elif message["method"] == "tools/call":
            await reply(send, status, [kind], body)
        else:
            error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
            await reply(send, 200, [JSON], json.dumps(error).encode())

    with start_scripted(script) as scripted:
        await gateway.add(scripted.url, name="Odd", auth_type="none")
        if alice.era == "modern" and odd in AS_IT_IS:
            message, headers = alice.message("tools/call", name="odd__odd", arguments={})
            assert (await alice.send(message, headers)).content == body
            return
        told = await alice.call("odd__odd")
        assert told["error"]["message"].startswith("Odd: "), told
        assert told["id"] is not None
        assert alice.last is not None
        assert alice.last.status_code == 200
