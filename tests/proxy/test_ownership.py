"""Sessions, tasks and states through a running gateway: whoever was given one has it, with whatever token."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.providers.faults import answer as answering
from tests.proxy.conftest import ScriptedServer, open_endpoint, read, reply
from tests.support.gateway_process import ALICE, BOB, DeployedGateway

JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}},
    "tools/call": {"task": {"taskId": "task-1", "status": "working"}},
    "prompts/get": {"resultType": "input_required", "requestState": "state-1"},
    "tools/list": {"cacheScope": "public", "ttlMs": 60_000, "tools": []},
}


@pytest.fixture
def seen(scripted: ScriptedServer) -> list[Any]:
    """What the server was asked, message by message."""
    messages: list[Any] = []

    async def script(_scope: Any, receive: Any, send: Any) -> None:
        body = await read(receive)
        asked = json.loads(body) if body else {"method": "none", "id": 0}
        messages.append(asked)
        result = {"jsonrpc": "2.0", "id": asked["id"], "result": RESULTS.get(asked["method"], {})}
        headers = [("content-type", "application/json"), ("mcp-session-id", "session-1"), ("cache-control", "public")]
        await reply(send, 200, headers, json.dumps(result).encode())

    scripted.script = script
    return messages


async def ask(
    proxy: DeployedGateway, email: str, url: str, method: str, session: str = "", **params: Any
) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = JSON | ({"mcp-session-id": session} if session else {})
    async with proxy.api(email) as client:
        return await client.post(url, json=message, headers=headers)


@pytest.fixture
async def beside(proxy: DeployedGateway, scripted: ScriptedServer) -> str:
    """Another gateway before the same server."""
    return await open_endpoint(proxy, scripted)


async def test_a_session_is_its_owners_at_its_gateway(proxy: DeployedGateway, opened: str, beside: str, scripted, seen):
    begun = await ask(proxy, ALICE, opened, "initialize")
    session = begun.headers["mcp-session-id"]
    assert "session-1" not in session
    assert (await ask(proxy, ALICE, opened, "ping", session)).status_code == 200
    assert scripted.arrived[-1].all("mcp-session-id") == ["session-1"]
    async with proxy.api(ALICE) as alice, proxy.api(BOB) as bob:
        for client, url, said in ((bob, opened, session), (alice, beside, session), (alice, opened, "session-1")):
            for method in ("POST", "GET", "DELETE"):
                answer = await client.request(method, url, headers={"mcp-session-id": said})
                assert (answer.status_code, answer.json()["cause"]) == (404, "not-yours")
        assert len(seen) == 2
        assert (await alice.delete(opened, headers={"mcp-session-id": session})).status_code == 200
    assert scripted.arrived[-1].all("mcp-session-id") == ["session-1"]


LINKS = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {"url": {}}}, "clientInfo": {"name": "c"}}


async def test_a_session_of_a_program_that_opens_links_is_its_owners_too(
    proxy: DeployedGateway, opened: str, scripted, seen
):
    begun = await ask(proxy, ALICE, opened, "initialize", **LINKS)
    session = begun.headers["mcp-session-id"]
    assert session != (await ask(proxy, ALICE, opened, "initialize")).headers["mcp-session-id"]
    again = await ask(proxy, ALICE, opened, "ping", session)
    assert scripted.arrived[-1].all("mcp-session-id") == ["session-1"]
    assert again.headers["mcp-session-id"] == session  # the server repeats it: the client must not take another
    assert (await ask(proxy, BOB, opened, "ping", session)).status_code == 404


async def test_where_the_server_has_no_sessions_the_gateway_gives_one_that_remembers(
    proxy: DeployedGateway, opened: str, scripted
):
    async def script(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await reply(send, 200, [("content-type", "application/json")], b'{"jsonrpc":"2.0","id":1,"result":{}}')

    scripted.script = script
    assert "mcp-session-id" not in (await ask(proxy, ALICE, opened, "initialize")).headers
    session = (await ask(proxy, ALICE, opened, "initialize", **LINKS)).headers["mcp-session-id"]
    later = await ask(proxy, ALICE, opened, "ping", session)
    assert (later.status_code, later.headers.get("mcp-session-id")) == (200, None)
    async with proxy.api(ALICE) as alice:
        assert (await alice.delete(opened, headers={"mcp-session-id": session})).status_code == 200
    assert [arrived.all("mcp-session-id") for arrived in scripted.arrived] == [[]] * 4
    assert (await ask(proxy, BOB, opened, "ping", session)).status_code == 404


async def test_tasks_and_states_are_their_owners_at_their_gateway(
    proxy: DeployedGateway, opened: str, beside: str, seen
):
    task = (await ask(proxy, ALICE, opened, "tools/call", name="a")).json()["result"]["task"]["taskId"]
    state = (await ask(proxy, ALICE, opened, "prompts/get", name="a")).json()["result"]["requestState"]
    assert (task, state) != ("task-1", "state-1")
    del seen[:]
    for method, params in (("tasks/get", {"taskId": task}), ("prompts/get", {"requestState": state})):
        for email, url in ((BOB, opened), (ALICE, beside)):
            refused = (await ask(proxy, email, url, method, **params)).raise_for_status().json()
            assert (refused["id"], refused["error"]["code"]) == (1, -32602)
            assert refused["error"]["data"]["cause"] == "not-yours"
        assert (await ask(proxy, ALICE, opened, method, **params)).status_code == 200
    assert [message["params"] for message in seen] == [{"taskId": "task-1"}, {"requestState": "state-1"}]


async def test_a_long_message_names_nothing_that_was_not_opened(proxy: DeployedGateway, opened: str, seen):
    """It is not held, so nothing in it can be opened: what would be another's stays out of reach."""
    pad = "x" * 400_000
    for message in (
        '"method":"tasks/get","params":{"pad":"%s","taskId":"task-1"}',
        '"params":{"pad":"%s"},"method":"tasks/get"',
    ):
        async with proxy.api(BOB) as bob:
            answer = await bob.post(opened, content='{"jsonrpc":"2.0","id":1,' + message % pad + "}", headers=JSON)
        assert (answer.status_code, answer.json()["cause"]) == (413, "request-too-large")
    other = json.dumps({"method": "tasks/get", "params": {"pad": pad, "taskId": "task-1"}}).encode("utf-16-le")

    async def pieces():
        yield other[:1]
        yield other[1:]

    async with proxy.api(BOB) as bob:
        assert (await bob.post(opened, content=pieces(), headers=JSON)).status_code == 400
    assert seen == []
    assert (await ask(proxy, ALICE, opened, "tools/call", arguments={"taskId": "a", "pad": pad})).status_code == 200


async def test_another_token_changes_nothing(proxy: DeployedGateway, scripted: ScriptedServer):
    """Neither the caller's, nor the one that goes to the server, which is renewed while the session lasts."""
    good = "Bearer issued-1"

    async def script(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        taken = scripted.arrived[-1].all("authorization") == [good]
        await reply(send, 200 if taken else 401, [("mcp-session-id", "session-1")], b"")

    scripted.script = script
    config = {
        "grant_type": "client_credentials",
        "client_id": "latchpin",
        "client_secret": "a secret",
        "token_url": f"{scripted.origin}/token",
    }
    gateway = await proxy.add(scripted.url, auth_type="oauth", oauth_config=config)
    url = f"/gateways/{gateway}/mcp"
    session = (await ask(proxy, ALICE, url, "initialize")).headers["mcp-session-id"]
    good = "Bearer issued-2"
    headers = {"authorization": f"Bearer {proxy.bearer(ALICE, jti='another')}", "mcp-session-id": session}
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False, timeout=60) as client:
        answer = await client.post(url, json={"jsonrpc": "2.0", "id": 2, "method": "ping"}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["mcp-session-id"] == session
    assert [arrived.all("mcp-session-id") for arrived in scripted.arrived] == [[], ["session-1"], ["session-1"]]


async def test_lists_are_private_where_the_callers_own_token_brought_them(
    proxy: DeployedGateway, opened: str, fault_switch, seen
):

    listed = await ask(proxy, ALICE, opened, "tools/list")
    assert listed.json()["result"]["cacheScope"] == "public"
    assert listed.headers["cache-control"] == "public"
    gateway = await proxy.add(fault_switch.provider.mcp_url)
    async with proxy.browser() as browser:
        await proxy.authorize(browser, gateway)
    fault_switch.arm("mcp", answering({"jsonrpc": "2.0", "id": 1, "result": RESULTS["tools/list"]}))
    own = await ask(proxy, ALICE, f"/gateways/{gateway}/mcp", "tools/list")
    assert own.json()["result"] == {**RESULTS["tools/list"], "cacheScope": "private"}
    assert len(seen) == 1
