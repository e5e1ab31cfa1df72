"""Refreshing: once however many ask, never losing what still serves, and saying so when only a person can help."""

from __future__ import annotations

import asyncio

import pytest
from latchpin_demo.state import Grant

from tests.providers import FaultSwitch, faults, sign_in
from tests.support.gateway_in_process import ALICE, BASE, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR, OVER = 3550, 3700
"""Seconds after which a token of an hour is about to expire, and has expired."""


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


async def test_a_fresh_token_is_not_refreshed_and_an_expiring_one_lazily(connected: Connected, gateway):
    assert (await connected.fetch()).status_code == 200
    gateway.clock.advance(seconds=NEAR)
    assert (await connected.status())["status"] == "near_expiry"
    assert connected.refreshes() == []  # looking renews nothing
    assert (await connected.fetch()).status_code == 200
    assert len(connected.refreshes()) == 1
    assert (await connected.status())["status"] == "valid"


async def test_of_32_callers_at_once_one_refreshes(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=OVER)
    calls = [connected.fetch() if n % 2 else connected.call("GET", "/oauth/status/{id}") for n in range(32)]
    answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers] == [200] * 32
    assert len(connected.refreshes()) == 1
    assert len(connected.bearers()) == 1
    first = connected.refreshes()[0]["refresh_token"]
    gateway.clock.advance(seconds=OVER)
    assert (await connected.fetch()).status_code == 200
    assert connected.refreshes()[1]["refresh_token"] != first  # the rotated one
    assert connected.refreshes()[1]["resource"] == provider.provider.mcp_url


async def test_without_a_new_refresh_token_the_old_one_is_kept(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=NEAR)
    provider.arm("token", faults.without("refresh_token"), times=1)
    assert (await connected.fetch()).status_code == 200
    gateway.clock.advance(seconds=NEAR)
    provider.arm("token", faults.status(500))
    assert (await connected.fetch()).status_code == 200  # the token still holds
    first, second = connected.refreshes()
    assert first["refresh_token"] == second["refresh_token"]


async def test_invalid_grant_asks_for_a_new_authorization_once_and_for_all(
    connected: Connected, gateway, provider, log
):
    gateway.clock.advance(seconds=NEAR)
    provider.arm("token", faults.oauth_error("invalid_grant", "revoked"))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (401, "authorization-required")
    assert refused.json()["authorize_url"] == f"{BASE}/oauth/authorize/{connected.id}"
    status = await connected.status()
    assert (status["status"], status["authorized"]) == ("needs_reauth", False)
    assert (await connected.fetch()).status_code == 401
    assert len(connected.refreshes()) == 1  # a spent one is not tried again
    provider.heal()
    await connected.authorize()
    assert (await connected.status())["status"] == "valid"
    assert "Traceback" not in log()


@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.status(503), 502), (faults.html(), 502), (faults.hang(), 504)],
    ids=["503", "html", "hang"],
)
async def test_no_decision_keeps_everything(fault, status, connected: Connected, gateway, provider):
    provider.arm("token", fault)
    if status == 504:
        gateway.allow(seconds=1)
    gateway.clock.advance(seconds=NEAR)
    assert (await connected.fetch()).status_code == 200  # the old token still holds
    gateway.clock.advance(seconds=OVER - NEAR)
    refused = await connected.fetch()
    assert refused.status_code == status
    assert (await connected.status())["status"] != "needs_reauth"
    assert len({form["refresh_token"] for form in connected.refreshes()}) == 1
    provider.heal()
    gateway.allow(seconds=60)
    assert (await connected.fetch()).status_code == 200


async def test_after_a_lost_answer_the_old_refresh_token_is_tried_once_more(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=NEAR)
    gateway.clock.stop()  # or ten seconds might be over by themselves
    provider.arm("token", faults.lost(), times=1)
    assert (await connected.fetch()).status_code == 200
    assert (await connected.fetch()).status_code == 200
    assert len(connected.refreshes()) == 1  # neither sent twice in one go, nor again at once while the old one holds
    gateway.clock.advance(seconds=11)
    refused = await connected.fetch()  # this server takes the repeat for theft, as it may
    assert refused.status_code == 401
    sent = [form["refresh_token"] for form in connected.refreshes()]
    assert (len(sent), len(set(sent))) == (2, 1)
    assert (await connected.fetch()).status_code == 401
    assert len(connected.refreshes()) == 2
    assert (await connected.status())["status"] == "needs_reauth"


async def test_disconnect_revokes_upstream_and_deletes_here(connected: Connected, provider):
    assert (await connected.fetch()).status_code == 200
    answer = await connected.call("DELETE", "/oauth/tokens/{id}")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert "revoked the token" in answer.json()["authorization_server"]
    assert len(provider.asked("revoke")) == 1
    assert provider.accounts.ledger.living() == []
    assert (await connected.status())["status"] == "missing"
    assert (await connected.call("GET", "/gateways/{id}/tools")).json()["total"] == 0
    assert (await connected.call("DELETE", "/oauth/tokens/{id}")).status_code == 404


@pytest.mark.parametrize("fault", [faults.status(503), faults.html(), faults.hang()], ids=["503", "html", "hang"])
async def test_disconnect_works_whatever_the_server_says(fault, connected: Connected, gateway, provider):
    provider.arm("revoke", fault)
    gateway.allow(seconds=2)  # two of the answers come at once; without them the connection ends all the same
    answer = await connected.call("DELETE", "/oauth/tokens/{id}")
    assert answer.status_code == 200
    assert (await connected.status())["status"] == "missing"


async def test_a_gateway_with_its_own_credentials_gets_caches_and_renews_one_token(gateway, provider: FaultSwitch):
    ledger, tokens = provider.accounts.ledger, []

    async def grant(_app, _scope, receive, send) -> None:
        issued = ledger._issue(Grant("service", "own", ("mcp:read",), provider.provider.mcp_url))
        tokens.append(issued.access_token)
        document = {"access_token": issued.access_token, "token_type": "Bearer", "expires_in": 3600}
        await faults.answer(document)(_app, _scope, receive, send)

    provider.arm("token", grant)
    config = {"grant_type": "client_credentials", "client_id": "own", "client_secret": "a secret of its own"}
    found = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
    answers = await asyncio.gather(*(found.fetch(email) for email in [ALICE, BOB] * 8))
    assert [answer.status_code for answer in answers] == [200] * 16
    assert [asked.form["grant_type"] for asked in provider.asked("token")] == ["client_credentials"]
    gateway.clock.advance(seconds=OVER)
    assert (await found.fetch(BOB)).status_code == 200
    assert len(tokens) == 2
    assert set(found.bearers()) == {f"Bearer {token}" for token in tokens}
    refused = await found.call("GET", "/oauth/authorize/{id}")
    assert (refused.status_code, refused.json()["cause"]) == (400, "invalid-request")


async def test_eight_first_users_make_one_registration(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)

    async def first_use(number: int) -> str:
        async with gateway.browser(f"user{number}@example.com") as browser:
            await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
            return (await sign_in(browser)).title

    titles = await asyncio.gather(*(first_use(number) for number in range(8)))
    assert set(titles) == {"OAuth Authorization Successful"}
    assert len(provider.asked("register")) == 1
