"""What ends here ends at the authorization server too: tokens of a removed gateway, and those that come too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from latchpin.gateways import removal
from latchpin_audit.log import AuditLog

from tests.providers import faults, sign_in
from tests.support.gateway_in_process import ADMIN, BASE, Connected, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR = 3590
PATIENCE = 60


@pytest.fixture
async def connected(gateway, provider) -> Connected:
    return await connect(gateway, provider)


async def noted(connected: Connected) -> list[tuple[str, dict[str, str]]]:
    entries = await AuditLog.of(connected.gateway.application.services.context).records.list(after=0, limit=100)
    return [(entry.event, dict(entry.facts)) for entry in entries]


# -- a gateway that is removed ------------------------------------------------------------------------


async def test_removing_a_gateway_revokes_everybodys_tokens_and_then_forgets_the_client(connected: Connected, provider):
    await connected.authorize(BOB)
    provider.forget()
    answer = await connected.call("DELETE", "/gateways/{id}", ADMIN)
    told = answer.json()
    assert (answer.status_code, told["tokens"]["revoked"], told["tokens"]["not_revoked"]) == (200, 2, 0)
    assert told["tokens"]["answers"] == ["The authorization server revoked the token."]
    assert [asked.endpoint for asked in provider.asked()][-3:] == ["revoke", "revoke", "manage"]
    assert provider.accounts.ledger.living() == []
    assert (await noted(connected))[-2:] == [
        ("gateway.removed", {}),
        ("tokens.revoked", {"revoked": "2", "not_revoked": "0"}),
    ]


async def test_what_a_server_does_not_revoke_is_counted(connected: Connected, provider):
    await connected.authorize(BOB)
    provider.arm("revoke", faults.status(400), times=1)
    told = (await connected.call("DELETE", "/gateways/{id}", ADMIN)).json()
    assert (told["tokens"]["revoked"], told["tokens"]["not_revoked"]) == (1, 1)
    assert "HTTP 400" in " ".join(told["tokens"]["answers"])
    assert (await noted(connected))[-1] == ("tokens.revoked", {"revoked": "1", "not_revoked": "1"})


async def test_a_server_that_does_not_answer_keeps_no_gateway(connected: Connected, provider, monkeypatch):
    monkeypatch.setattr(removal, "WITHIN", timedelta(milliseconds=300))  # the request's own deadline is longer
    for endpoint in ("revoke", "manage"):
        provider.arm(endpoint, faults.hang())
    told = (await connected.call("DELETE", "/gateways/{id}", ADMIN)).json()
    assert told["tokens"] == {
        "revoked": 0,
        "not_revoked": 1,
        "answers": ["The authorization server did not answer in time."],
    }
    assert "did not answer in time" in told["authorization_servers"][0]
    records = connected.gateway.application.services.records
    assert (await records.gateways.list(), await records.tokens.list()) == ([], [])


async def test_a_gateway_without_tokens_asks_nobody_to_revoke(connected: Connected, provider):
    await connected.call("DELETE", "/oauth/tokens/{id}")
    provider.forget()
    told = (await connected.call("DELETE", "/gateways/{id}", ADMIN)).json()
    assert told["tokens"] == {"revoked": 0, "not_revoked": 0, "answers": []}
    assert [asked.endpoint for asked in provider.asked()] == ["manage"]
    assert (await noted(connected))[-1] == ("gateway.removed", {})


# -- what comes too late ------------------------------------------------------------------------------


def while_it_is_answered(connected: Connected, provider, act: Callable[[], Awaitable[object]]) -> None:
    """Let the token endpoint decide, then ``act``, and only then let the answer go."""
    loop = asyncio.get_running_loop()

    async def fault(app, scope, receive, send) -> None:
        messages = []

        async def keep(message) -> None:
            messages.append(message)

        await app(scope, receive, keep)
        done = asyncio.run_coroutine_threadsafe(act(), loop)
        await asyncio.wait_for(asyncio.wrap_future(done), PATIENCE)
        for message in messages:
            await send(message)

    provider.arm("token", fault, times=1)


@pytest.mark.parametrize("how", ["disconnected", "removed"])
async def test_a_token_renewed_while_its_owner_is_disconnected_lives_nowhere(how, connected: Connected, provider):
    provider.arm("revoke", faults.status(200))  # takes the word, and does not know that the token was rotated
    path = {"disconnected": "/oauth/tokens/{id}?user=alice@example.com", "removed": "/gateways/{id}"}[how]
    while_it_is_answered(connected, provider, lambda: connected.call("DELETE", path, ADMIN))
    connected.gateway.clock.advance(seconds=NEAR)
    answer = await connected.fetch()
    assert answer.status_code == 401, answer.text
    assert await connected.gateway.application.services.records.tokens.list() == []
    first, second = [asked.form["token"] for asked in provider.asked("revoke")]
    assert first == connected.refreshes()[0]["refresh_token"]
    assert second != first


async def test_a_token_that_a_newer_authorization_replaced_is_left_alone(connected: Connected, provider):
    """Servers may revoke all of one consent at once, and the newer token is of the same."""
    while_it_is_answered(connected, provider, connected.authorize)
    connected.gateway.clock.advance(seconds=NEAR)
    assert (await connected.fetch()).status_code == 200
    assert provider.asked("revoke") == []


@pytest.mark.parametrize("how", ["removed", "changed"])
async def test_a_token_for_a_gateway_that_is_gone_or_leads_elsewhere_is_given_back(how, connected: Connected, provider):
    async def act() -> object:
        if how == "removed":
            return await connected.call("DELETE", "/gateways/{id}", ADMIN)
        headers = await connected.bearer(ADMIN)
        async with connected.gateway.client(None, **headers) as client:
            body = {"oauth_config": {"resource": "https://elsewhere.example/mcp"}}
            return await client.put(f"{BASE}/gateways/{connected.id}", json=body)

    async with connected.gateway.browser(BOB) as browser:
        await browser.open(f"{BASE}/oauth/authorize/{connected.id}")
        back = (await sign_in(browser, user=BOB, follow=False)).headers["location"]
        while_it_is_answered(connected, provider, act)
        page = await browser.open(back)
    assert page.status in {401, 404}, page.text
    records = connected.gateway.application.services.records
    assert await records.tokens.list() == []
    assert len(provider.asked("revoke")) == {"removed": 2, "changed": 1}[how]  # alice's by the removal, and bob's
    assert BOB not in {grant.user for grant, _ in provider.accounts.ledger.living()}
