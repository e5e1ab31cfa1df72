"""``invalid_client``: the server has forgotten the client that it registered. It heals itself once, then it is told."""

from __future__ import annotations

import pytest
from latchpin.model import Caller

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ALICE, BASE, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

NEAR = 3550
"""Seconds after which a token of an hour is about to expire."""
REFUSED = faults.oauth_error("invalid_client", code=401)


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


async def test_at_a_refresh_the_user_starts_again_and_gets_a_new_client(connected: Connected, gateway, provider):
    provider.accounts.ledger.clients.clear()
    gateway.clock.advance(seconds=NEAR)
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (401, "authorization-required")
    assert (await connected.status())["status"] == "needs_reauth"
    assert provider.asked("register") == []  # nobody needs a new one before somebody starts
    await connected.authorize()
    assert len(provider.asked("register")) == 1
    assert (await connected.fetch()).status_code == 200


async def test_at_the_callback_the_user_is_sent_to_start_again(gateway: InnerGateway, provider: FaultSwitch, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        returned = await gateway.returned(browser, gateway_id)
        provider.accounts.ledger.clients.clear()
        page = await browser.open(returned)
        assert page.status == 401
        assert f"{BASE}/oauth/authorize/{gateway_id}" in page.text
        assert await gateway.application.services.records.clients.list() == []
        returned = await gateway.returned(browser, gateway_id)
        assert "Successful" in (await browser.open(returned)).title
    assert len(provider.asked("register")) == 2
    assert "is not used any more" in log()
    assert "Traceback" not in log()


async def test_a_server_that_refuses_every_client_is_not_asked_for_more(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("token", REFUSED)
    async with gateway.browser() as browser:
        statuses = [(await browser.open(await gateway.returned(browser, gateway_id))).status for _ in range(4)]
    assert statuses == [401, 502, 502, 502]
    assert len(provider.asked("register")) == 2
    gateway.clock.advance(hours=1, seconds=1)
    async with gateway.browser() as browser:
        assert (await browser.open(await gateway.returned(browser, gateway_id))).status == 401


async def test_a_client_that_somebody_entered_stays(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        await gateway.returned(browser, gateway_id)
        (client,) = await gateway.application.services.records.clients.list()
        entered = await gateway.add(provider.provider.mcp_url, oauth_config={"client_id": client.client_id})
        provider.arm("token", REFUSED)
        page = await browser.open(await gateway.returned(browser, entered))
    assert page.status == 502
    assert len(provider.asked("register")) == 1


def one_after_the_other(*answers: faults.Fault) -> faults.Fault:
    left = iter(answers)

    async def fault(app, scope, receive, send):
        await next(left)(app, scope, receive, send)

    return fault


async def test_a_gateways_own_token_is_asked_for_again_at_once(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config={"grant_type": "client_credentials"})
    clients = [{"client_id": name, "client_secret": f"secret of {name}"} for name in ("first", "second")]
    provider.arm("register", one_after_the_other(*(faults.answer(client, code=201) for client in clients)))
    token = {"access_token": "good", "token_type": "Bearer", "expires_in": 3600}
    provider.arm("token", one_after_the_other(REFUSED, faults.answer(token)))
    one = await gateway.application.gateways.get_any(gateway_id)
    usable = await gateway.application.tokens.token_for(one, Caller(ALICE))
    assert usable.access_token == "good"
    assert usable.stored.client_id == "second"
    assert [asked.form["client_id"] for asked in provider.asked("token")] == ["first", "second"]
