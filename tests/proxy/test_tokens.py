"""Whose token goes upstream, what a refusal leads to, and that nothing of the caller's own is sent along."""

from __future__ import annotations

import httpx
import pytest

from tests.providers import FaultSwitch
from tests.providers.faults import status
from tests.providers.identity_provider import bind_tokens
from tests.proxy.conftest import ScriptedServer, read, reply
from tests.support.gateway_process import ALICE, BOB, DeployedGateway

LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{}}}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


async def authorized(proxy: DeployedGateway, switch: FaultSwitch, *emails: str) -> str:
    gateway = await proxy.add(switch.provider.mcp_url)
    for email in emails:
        async with proxy.browser(email) as browser:
            await proxy.authorize(browser, gateway)
    switch.forget()
    return gateway


async def post(proxy: DeployedGateway, email: str, gateway: str, content: bytes = LIST) -> httpx.Response:
    async with proxy.api(email) as client:
        return await client.post(f"/gateways/{gateway}/mcp", content=content, headers=JSON)


def sent(switch: FaultSwitch) -> list[str]:
    return [asked.headers.get("authorization", "") for asked in switch.asked("mcp")]


def told(answer: httpx.Response) -> str:
    """What the result of a tool says that did not run."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["isError"] is True
    return str(answer.json()["result"]["content"][0]["text"])


async def test_without_a_token_the_result_names_the_link(proxy: DeployedGateway, fault_switch: FaultSwitch):
    gateway = await proxy.add(fault_switch.provider.mcp_url)
    answer = await post(proxy, ALICE, gateway)
    assert f"{proxy.url}/oauth/authorize/{gateway}/for/" in told(answer)
    assert "www-authenticate" not in answer.headers
    assert fault_switch.asked("mcp") == []


async def test_each_caller_goes_out_with_their_own_token_and_never_with_the_one_they_came_with(proxy, fault_switch):
    gateway = await authorized(proxy, fault_switch, ALICE)
    assert "authorization first" in told(await post(proxy, BOB, gateway))
    assert fault_switch.asked("mcp") == []
    async with proxy.browser(BOB) as browser:
        await proxy.authorize(browser, gateway)
    fault_switch.forget()
    await post(proxy, ALICE, gateway)
    await post(proxy, BOB, gateway)
    first, second = sent(fault_switch)
    assert first.startswith("Bearer ")
    assert second.startswith("Bearer ")
    assert first != second
    inbound = {proxy.bearer(email).partition(".")[0] for email in (ALICE, BOB)}
    assert not any(part in value for part in inbound for value in (first, second))


async def test_a_401_is_answered_with_a_new_token_and_the_same_body_once(
    proxy: DeployedGateway, fault_switch: FaultSwitch
):
    gateway = await authorized(proxy, fault_switch, ALICE)
    fault_switch.arm("mcp", status(401, www_authenticate="Bearer"), times=1)
    answer = await post(proxy, ALICE, gateway)
    assert "Error executing tool add" in answer.text  # the server's own words: the call lacks its arguments
    first, second = fault_switch.asked("mcp")
    assert first.headers["authorization"] != second.headers["authorization"]
    assert first.body == second.body == LIST
    assert [asked.form["grant_type"] for asked in fault_switch.asked("token")] == ["refresh_token"]


async def test_a_server_that_refuses_every_token_is_asked_twice(proxy: DeployedGateway, fault_switch: FaultSwitch):
    gateway = await authorized(proxy, fault_switch, ALICE)
    fault_switch.arm("mcp", status(401, www_authenticate='Bearer error="invalid_token"'))
    answer = await post(proxy, ALICE, gateway)
    assert "no longer takes" in told(answer)
    assert len(fault_switch.asked("mcp")) == 2
    assert len(fault_switch.asked("token")) == 1


async def test_a_large_body_is_not_repeated_but_the_next_one_has_a_new_token(
    proxy: DeployedGateway, fault_switch: FaultSwitch
):
    gateway = await authorized(proxy, fault_switch, ALICE)
    fault_switch.arm("mcp", status(401, www_authenticate="Bearer"), times=1)
    large = LIST + b" " * 200_000
    answer = await post(proxy, ALICE, gateway, large)
    assert (answer.status_code, answer.json()["cause"]) == (503, "token-replaced")
    assert answer.headers["retry-after"] == "1"
    again = await post(proxy, ALICE, gateway, large)
    assert again.status_code not in {401, 503}
    first, second = sent(fault_switch)
    assert first != second


def lacks(scope: str):
    return status(403, www_authenticate=f'Bearer error="insufficient_scope", scope="{scope}"')


async def test_missing_scopes_are_asked_for_at_the_next_authorization_of_this_user_only(
    proxy: DeployedGateway, fault_switch
):
    gateway = await authorized(proxy, fault_switch, ALICE, BOB)
    fault_switch.arm("mcp", lacks("files:write mcp:read"), times=1)
    assert "more rights" in told(await post(proxy, ALICE, gateway))
    assert await asked_for(proxy, ALICE, gateway) == {"mcp:read", "files:write"}
    assert await asked_for(proxy, BOB, gateway) == {"mcp:read"}


async def asked_for(proxy: DeployedGateway, email: str, gateway: str) -> set[str]:
    async with proxy.api(email) as client:
        answer = await client.get(f"/oauth/authorize/{gateway}")
    assert answer.status_code == 302, answer.text
    return set(httpx.URL(answer.headers["location"]).params["scope"].split())


async def test_three_tokens_that_did_not_help_end_it(proxy: DeployedGateway, fault_switch: FaultSwitch):
    gateway = await authorized(proxy, fault_switch, ALICE)
    fault_switch.arm("mcp", lacks("mcp:read"))
    for _ in range(2):
        for _repeated in range(2):  # without a new authorization nothing is counted
            answer = await post(proxy, ALICE, gateway)
            assert "more rights" in told(answer)
        async with proxy.browser() as browser:
            await proxy.authorize(browser, gateway)
    assert "three authorizations did not give it" in told(await post(proxy, ALICE, gateway))
    other = LIST.replace(b'"add"', b'"search"')
    assert "more rights" in told(await post(proxy, ALICE, gateway, other))


async def test_another_403_passes_as_it_is(proxy: DeployedGateway, fault_switch: FaultSwitch):
    gateway = await authorized(proxy, fault_switch, ALICE)
    fault_switch.arm("mcp", status(403, "no"))
    answer = await post(proxy, ALICE, gateway)
    assert (answer.status_code, answer.text) == (403, "no")


@pytest.fixture
async def own(proxy: DeployedGateway, scripted: ScriptedServer) -> str:
    """A gateway that authorizes itself."""
    config = {
        "grant_type": "client_credentials",
        "client_id": "latchpin",
        "client_secret": "a secret",
        "token_url": f"{scripted.origin}/token",
    }
    return await proxy.add(scripted.url, auth_type="oauth", oauth_config=config)


async def test_the_gateways_own_token_serves_everybody(proxy: DeployedGateway, own: str, scripted: ScriptedServer):
    for email in (ALICE, BOB):
        assert (await post(proxy, email, own)).status_code == 200
    assert [arrived.all("authorization") for arrived in scripted.arrived] == [["Bearer issued-1"]] * 2


async def test_the_gateways_own_token_is_renewed_too(proxy: DeployedGateway, own: str, scripted: ScriptedServer):
    async def script(scope, receive, send):
        body = await read(receive)
        fresh = scripted.arrived[-1].all("authorization") == ["Bearer issued-2"]
        await reply(send, 200 if fresh else 401, [], body)

    scripted.script = script
    answer = await post(proxy, ALICE, own)
    assert (answer.status_code, answer.content) == (200, LIST)
    assert len(scripted.arrived) == 2


async def test_no_newer_token_goes_to_where_the_gateway_led_before(
    proxy: DeployedGateway, own: str, scripted: ScriptedServer
):
    """It is changed while a request is under way, and the server that it led to refuses the token."""

    async def script(scope, receive, send):
        await read(receive)
        async with proxy.api() as admin:
            changed = await admin.put(f"/gateways/{own}", json={"url": f"{scripted.origin}/elsewhere"})
        assert changed.status_code == 200, changed.text
        await reply(send, 401, [], b"")

    scripted.script = script
    answer = await post(proxy, ALICE, own)
    assert (answer.status_code, answer.json()["cause"]) == (503, "gateway-changed")
    assert answer.headers["retry-after"] == "1"
    assert [arrived.all("authorization") for arrived in scripted.arrived] == [["Bearer issued-1"]]


async def test_a_server_that_refuses_the_gateways_own_token_is_not_the_callers_to_mend(proxy, own, scripted):
    async def script(_scope, _receive, send):
        await reply(send, 401, [], b"")

    scripted.script = script
    said = told(await post(proxy, ALICE, own))
    assert "administrator" in said
    assert "/oauth/authorize/" not in said


async def test_a_bound_token_goes_out_with_a_proof_of_ours_and_nothing_of_the_callers(
    proxy: DeployedGateway, fault_switch
):
    bound = bind_tokens(fault_switch, nonces=True)
    gateway = await authorized(proxy, fault_switch, ALICE)
    async with proxy.api(ALICE) as client:
        headers = JSON | {"dpop": "of-the-caller"}
        first = await client.post(f"/gateways/{gateway}/mcp", content=LIST, headers=headers)
        second = await client.post(f"/gateways/{gateway}/mcp", content=LIST, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "dpop-nonce" not in first.headers
    assert bound.wrong == []
    assert [claims["htm"] for claims in bound.proofs["mcp"]] == ["POST", "POST"]
    scheme = [value.partition(" ")[0] for value in sent(fault_switch)]
    assert scheme == ["DPoP"] * 3  # one was refused for want of the nonce
    assert [asked.body for asked in fault_switch.asked("mcp")] == [LIST] * 3
    assert not any("of-the-caller" in asked.headers.get("dpop", "") for asked in fault_switch.asked("mcp"))


async def test_what_is_too_large_to_repeat_for_a_nonce_is_to_be_sent_again(proxy: DeployedGateway, fault_switch):
    bind_tokens(fault_switch, nonces=True)
    gateway = await authorized(proxy, fault_switch, ALICE)
    large = LIST.replace(b"{}", b'{"text":"' + b"x" * 400_000 + b'"}')
    refused = await post(proxy, ALICE, gateway, large)
    assert (refused.status_code, refused.json()["cause"]) == (503, "nonce-needed")
    assert (await post(proxy, ALICE, gateway, large)).status_code == 200


async def test_where_an_identity_provider_has_to_vouch_no_browser_is_sent_for(
    proxy: DeployedGateway, fault_switch: FaultSwitch
):
    entry = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": "c",
        "identity_provider": "http://127.0.0.1:9",
        "identity_provider_client_id": "us",
    }
    gateway = await proxy.add(fault_switch.provider.mcp_url, oauth_config=entry)
    answer = await post(proxy, ALICE, gateway)
    assert (answer.status_code, answer.json()["cause"]) == (401, "identity-assertion-required")
    assert "authorize_url" not in answer.json()
    challenge = answer.headers["www-authenticate"]
    assert "resource_metadata=" in challenge
    assert "authorize_url" not in challenge
    assert not any(sent(fault_switch))
