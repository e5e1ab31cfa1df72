"""Calls through a real nginx: what takes the native way, what falls to the proxy, and that neither is weaker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.edge.conftest import CALL, EDGE_SECRET, JSON, TICK, Edge
from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.proxy.conftest import ScriptedServer, begin, read, reply, start_scripted
from tests.servers.processes import DEADLINE
from tests.support.gateway_process import ALICE, BOB

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'


async def answer_json(_scope, receive, send) -> None:
    await read(receive)
    await reply(send, 200, [("content-type", "application/json")], ANSWER)


@pytest.fixture(scope="module")
def plain(edge: Edge) -> Iterator[str]:
    """A gateway without OAuth, for what only the request decides."""
    with start_scripted(answer_json) as server:
        yield asyncio.run(edge.add(server.url, auth_type="none"))


def sent(switch: FaultSwitch) -> list[str]:
    return [asked.headers.get("authorization", "") for asked in switch.asked("mcp")]


async def test_a_call_goes_straight_up_with_the_callers_own_token(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    fault_switch.forget()
    proxied = await edge.proxied(gateway)
    answer = await edge.call(gateway)
    assert answer.status_code == 200
    assert '"3"' in answer.text or "3" in answer.text
    [authorization] = sent(fault_switch)
    assert authorization.startswith("Bearer ")
    assert edge.gateway.bearer(ALICE).partition(".")[0] not in authorization
    asked = -1
    async with asyncio.timeout(DEADLINE):  # Envoy forgets what it kept while it takes a new configuration over
        while asked != await edge.asked(gateway):  # until an answer was kept
            asked = await edge.asked(gateway)
            await edge.call(gateway)
            await asyncio.sleep(TICK)
    assert await edge.proxied(gateway) == proxied, "the proxy served it"


async def test_fields_that_are_not_named_stay_on_their_side(edge: Edge, scripted: ScriptedServer):
    fields = [
        ("content-type", "application/json"),
        ("set-cookie", "a=b"),
        ("x-accel-redirect", "/login"),
        ("access-control-allow-origin", "*"),
        ("cache-control", "public, max-age=600"),
        ("mcp-session-id", "raw"),
        ("x-own", "kept"),
    ]

    async def script(_scope, receive, send) -> None:
        await read(receive)
        await reply(send, 200, fields, ANSWER)

    scripted.script = script
    gateway = await edge.add(scripted.url + "?tenant=1", auth_type="none")
    proxied = await edge.proxied(gateway)
    async with edge.client() as client:
        answer = await client.post(
            f"/gateways/{gateway}/mcp?secret=1",
            content=CALL,
            headers={
                "cookie": "session=secret",
                "x-forwarded-for": "203.0.113.1",
                "x-user": "root",
                "proxy-authorization": "Basic x",
                "x-edge-secret": "guessed",
                "mcp-protocol-version": "2025-11-25",
            },
        )
    assert answer.content == ANSWER
    assert await edge.proxied(gateway) == proxied
    assert not {"set-cookie", "access-control-allow-origin", "mcp-session-id", "x-accel-redirect"} & set(answer.headers)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-own"] == "kept"
    assert answer.headers["x-content-type-options"] == "nosniff"
    [arrived] = scripted.arrived
    assert arrived.query == "tenant=1"
    assert {name for name, _ in arrived.headers} == {
        "host",
        "accept",
        "content-length",
        "content-type",
        "mcp-protocol-version",
        "user-agent",
    }


async def test_an_event_is_there_when_the_server_sent_it(edge: Edge, scripted: ScriptedServer):
    seen = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def script(_scope, receive, send) -> None:
        await read(receive)
        await begin(send, 200, [("content-type", "text/event-stream")])
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(seen.wait(), loop))
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    scripted.script = script
    gateway = await edge.add(scripted.url, auth_type="none")
    proxied = await edge.proxied(gateway)
    async with edge.client() as client, client.stream("POST", f"/gateways/{gateway}/mcp", content=CALL) as answer:
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"data: 1\n\n"
        seen.set()
        assert b"".join([piece async for piece in pieces]) == b"data: 2\n\n"
    assert await edge.proxied(gateway) == proxied


async def test_a_token_that_is_refused_is_renewed_and_the_call_sent_again(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    fault_switch.forget()
    fault_switch.arm("mcp", status(401, www_authenticate='Bearer error="invalid_token"'), times=2)
    answer = await edge.call(gateway)
    assert answer.status_code == 200
    assert '"result"' in answer.text
    first, second, third = fault_switch.asked("mcp")  # nginx, the proxy with the same, the proxy with a new one
    assert first.headers["authorization"] == second.headers["authorization"] != third.headers["authorization"]
    assert first.body == second.body == third.body == CALL
    assert [asked.form["grant_type"] for asked in fault_switch.asked("token")] == ["refresh_token"]
    again = await edge.call(gateway)
    assert again.status_code == 200


async def test_more_scopes_are_asked_for_as_the_proxy_does(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    wanted = 'Bearer error="insufficient_scope", scope="mcp:read files:write"'
    fault_switch.arm("mcp", status(403, www_authenticate=wanted), times=2)
    answer = await edge.call(gateway)
    assert "more rights" in answer.json()["result"]["content"][0]["text"]
    assert "www-authenticate" not in answer.headers
    async with edge.gateway.api(ALICE) as alice:
        sent_to = await alice.get(f"/oauth/authorize/{gateway}")
    assert set(httpx.URL(sent_to.headers["location"]).params["scope"].split()) == {"mcp:read", "files:write"}


async def test_two_people_never_share_an_answer(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE, BOB)
    fault_switch.forget()
    for email in (ALICE, BOB, ALICE, BOB):
        assert (await edge.call(gateway, email)).status_code == 200
    first, second, third, fourth = sent(fault_switch)
    assert first == third != second == fourth
    stranger = await edge.call(gateway, "carol@example.com")
    assert "needs your authorization first" in stranger.text
    assert len(sent(fault_switch)) == 4


async def test_people_whom_a_trusted_proxy_names_never_share_an_answer(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE, BOB)
    fault_switch.forget()
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")  # none of TRUSTED_PROXIES
    async with (
        httpx.AsyncClient(base_url=edge.url, headers=JSON, trust_env=False, timeout=60) as proxy,
        httpx.AsyncClient(base_url=edge.url, headers=JSON, transport=transport, timeout=60) as liar,
    ):
        for email in (ALICE, BOB, ALICE):
            answer = await proxy.post(f"/gateways/{gateway}/mcp", content=CALL, headers={"x-test-user": email})
            assert answer.status_code == 200
        first, second, third = sent(fault_switch)
        assert first == third != second
        for path in (f"/gateways/{gateway}/mcp", "/gateways"):
            refused = await liar.post(path, content=CALL, headers={"x-test-user": ALICE})
            assert refused.status_code == 401, path
    assert len(sent(fault_switch)) == 3


async def test_a_user_who_is_named_twice_is_nobody(edge: Edge, scripted: ScriptedServer):
    """A caller slips the header in beside that of a trusted proxy which adds its own: as without a data plane."""
    scripted.script = answer_json
    gateway = await edge.add(scripted.url, auth_type="none")
    async with httpx.AsyncClient(base_url=edge.url, headers=JSON, trust_env=False, timeout=60) as proxy:
        path = f"/gateways/{gateway}/mcp"
        assert (await proxy.post(path, content=CALL, headers={"x-test-user": ALICE})).status_code == 200
        for first, second in ((ALICE, BOB), (BOB, ALICE), (ALICE, ALICE)):
            twice = [*JSON.items(), ("x-test-user", first), ("x-test-user", second)]
            assert (await proxy.post(path, content=CALL, headers=twice)).status_code == 401
            assert (await proxy.get("/gateways", headers=twice)).status_code == 401
    assert len(scripted.arrived) == 1


async def test_a_page_of_another_site_is_refused_although_an_answer_is_kept(edge: Edge, scripted: ScriptedServer):
    scripted.script = answer_json
    gateway = await edge.add(scripted.url, auth_type="none")
    assert (await edge.call(gateway, origin=edge.gateway.url)).status_code == 200
    assert len(scripted.arrived) == 1
    for name, value in (("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")):
        refused = await edge.call(gateway, **{name: value})
        assert (refused.status_code, refused.json()["cause"]) == (403, "foreign-page")
    assert len(scripted.arrived) == 1


async def test_whoever_is_not_known_gets_the_endpoints_own_challenge(edge: Edge, scripted: ScriptedServer):
    gateway = await edge.add(scripted.url, auth_type="none")
    unknown = await edge.call(gateway, authorization="Bearer nobody")
    assert unknown.status_code == 401
    assert 'error="invalid_token"' in unknown.headers["www-authenticate"]
    assert "resource_metadata=" in unknown.headers["www-authenticate"]
    async with httpx.AsyncClient(base_url=edge.url, headers=JSON, trust_env=False) as nobody:
        answer = await nobody.post(f"/gateways/{gateway}/mcp", content=CALL)
    assert answer.status_code == 401
    assert scripted.arrived == []


async def test_a_cookie_opens_nothing(edge: Edge, scripted: ScriptedServer):
    gateway = await edge.add(scripted.url, auth_type="none")
    async with edge.gateway.api() as admin:
        assert (await admin.get("/gateways")).status_code == 200
    answer = await edge.ask(gateway, authorization="", cookie="latchpin_session=x")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "native"),
    [
        (CALL, True),
        (b' {\n "method" : "tools/call", "id": 1}', True),
        (b'{"method":"tools/call","params":{"arguments":{"x":"\\u00e9"}}}', True),
        (b'{"method":"initialize","id":1}', False),
        (b'{"method":"tools/list","id":1}', False),
        (b'{"method":"tasks/get","params":{"taskId":"x"}}', False),
        (b'{"method":"tools/call","params":{"requestState":"x"}}', False),
        (b'{"method":"tools/call","params":{"request\\u0053tate":"x"}}', False),
        (b'{"method":"tools/call","params":{"task":{}}}', False),
        (b'{"method":"tools/call","params":{"_meta":{"x":{"elicitation":{}}}}}', False),
        (b'{"method":"tasks/list","params":{"_meta":{"method":"tools/call"}}}', False),  # it could list everybody's
        (b'{"params":{"_meta":{"method":"tools/call"}},"method":"tasks/list"}', False),
        (b'{"method":"tools/call","id":1,"method":"tasks/list"}', False),
        (b'{"method":"tools/call","id":1,"Method":"tasks\\/list"}', False),
        (b'{"id":1,"result":{"method":"tools/call"}}', False),
        (b'{"\\"method":"tools/call","id":1,"result":{}}', False),
        (b'{"jsonrpc":"2.0","id":"\\\\","method":"tools/call"}', True),
        (b'[{"method":"tools/call"}]', False),
        ('{"method":"tools/call"}'.encode("utf-16-le"), False),
        (b'{"id":1,"x":"\0","method":"tools/call"}', False),
        (CALL + b" " * 100_000, False),
    ],
)
async def test_calls_of_tools_that_name_nothing_else_are_native(edge: Edge, plain: str, body: bytes, native: bool):
    proxied = await edge.proxied(plain)
    await edge.call(plain, content=body)
    assert (await edge.proxied(plain) == proxied) == native


@pytest.mark.parametrize(
    "field",
    [
        {"mcp-method": "tools/list"},
        {"content-encoding": "gzip"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "text/plain"},
        {"authorization": "Basic YTpi"},
    ],
)
async def test_a_request_that_says_something_else_of_itself_is_the_proxys(edge: Edge, plain: str, field):
    proxied = await edge.proxied(plain)
    await edge.call(plain, **field)
    assert await edge.proxied(plain) == proxied + 1


async def test_a_query_which_may_name_an_account_is_the_proxys(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    fault_switch.forget()
    async with edge.client(ALICE) as client:
        for query in ("?account=work", "?a=b&accoun%74=work"):
            answer = await client.post(f"/gateways/{gateway}/mcp{query}", content=CALL)
            assert "account=work" in answer.text, "the default account did not serve for the one that was named"
    assert sent(fault_switch) == []


async def test_nobody_asks_for_tokens_by_way_of_the_data_plane(edge: Edge, plain: str):
    async with edge.client() as client:
        asked = await client.get(f"/edge/token/{plain}", headers={"x-edge-secret": EDGE_SECRET})
    assert asked.status_code == 404
    assert (await edge.ask(plain)).status_code == 200, "as one who may ask, it is answered"


async def test_a_session_is_its_owners_and_goes_up_by_the_servers_name(edge: Edge, scripted: ScriptedServer):
    async def script(_scope, receive, send) -> None:
        await read(receive)
        await reply(send, 200, [("content-type", "application/json"), ("mcp-session-id", "session-1")], ANSWER)

    scripted.script = script
    gateway = await edge.add(scripted.url, auth_type="none")
    quiet = await begin_session(edge, gateway, {})
    proxied = await edge.proxied(gateway)
    answer = await edge.call(gateway, mcp_session_id=quiet)
    assert await edge.proxied(gateway) == proxied
    assert answer.headers["mcp-session-id"] == quiet
    assert scripted.arrived[-1].all("mcp-session-id") == ["session-1"]
    for wrong, email in ((quiet, BOB), ("session-1", ALICE)):
        refused = await edge.call(gateway, email, mcp_session_id=wrong)
        assert (refused.status_code, refused.json()["cause"]) == (404, "not-yours")


async def test_where_a_person_may_be_asked_the_proxy_listens(edge: Edge, scripted: ScriptedServer):
    async def script(_scope, receive, send) -> None:
        named = [("mcp-session-id", "session-1")] if scripted.url.endswith("mcp") else []
        await read(receive)
        await reply(send, 200, [("content-type", "application/json"), *named], ANSWER)

    scripted.script = script
    gateway = await edge.add(scripted.url, auth_type="none")
    for capability in ({"form": {}}, {"url": {}}, {}):
        asking = await begin_session(edge, gateway, {"elicitation": capability})
        proxied = await edge.proxied(gateway)
        assert (await edge.call(gateway, mcp_session_id=asking)).status_code == 200
        assert await edge.proxied(gateway) == proxied + 1, capability
        assert scripted.arrived[-1].all("mcp-session-id") == ["session-1"]


async def test_a_server_without_sessions_is_asked_by_the_proxy_for_a_program_that_asks(edge: Edge, scripted):
    scripted.script = answer_json
    gateway = await edge.add(scripted.url, auth_type="none")
    asking = await begin_session(edge, gateway, {"elicitation": {"form": {}}})
    proxied = await edge.proxied(gateway)
    assert (await edge.call(gateway, mcp_session_id=asking)).status_code == 200
    assert await edge.proxied(gateway) == proxied + 1
    assert scripted.arrived[-1].all("mcp-session-id") == []


async def begin_session(edge: Edge, gateway: str, capabilities: dict) -> str:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode()
    answer = await edge.call(gateway, content=body)
    assert answer.status_code == 200, answer.text
    return answer.headers["mcp-session-id"]


async def test_a_disconnected_person_gets_no_further_at_once_where_nothing_is_kept(
    uncached: Edge, fault_switch: FaultSwitch
):
    gateway = await uncached.add(fault_switch.provider.mcp_url, ALICE)
    fault_switch.forget()
    assert (await uncached.call(gateway)).status_code == 200
    async with uncached.gateway.api(ALICE) as alice:
        assert (await alice.delete(f"/oauth/tokens/{gateway}")).status_code == 200
    assert "needs your authorization first" in (await uncached.call(gateway)).text
    assert len(sent(fault_switch)) == 1


async def test_a_server_that_is_away_is_told_as_a_problem(edge: Edge):
    from tests.servers import Reservation

    with Reservation() as nobody:
        gateway = await edge.add(f"http://127.0.0.1:{nobody.port}/mcp", auth_type="none")
        answer = await edge.call(gateway)
    assert (answer.status_code, answer.json()["cause"]) == (502, "provider-unreachable")


async def test_no_token_and_no_query_is_in_the_data_planes_log(edge: Edge, fault_switch: FaultSwitch):
    gateway = await edge.add(fault_switch.provider.mcp_url, ALICE)
    long = "x" * 1000
    for bearer in (edge.gateway.bearer(ALICE), edge.gateway.bearer(ALICE, more=long)):
        assert (await edge.call(gateway, authorization=f"Bearer {bearer}")).status_code == 200
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as browser:
        await browser.get("/oauth/callback?code=a-secret-code&state=x")
    authorization = sent(fault_switch)[-1]
    for secret in (bearer, authorization.partition(" ")[2], "a-secret-code", long):
        assert secret not in edge.program.output
