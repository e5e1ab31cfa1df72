"""A server that asks us to wait is left alone, whoever calls; a refusal for good is told from an outage."""

from __future__ import annotations

import asyncio

import pytest

from tests.providers import FaultSwitch, faults, sign_in
from tests.support.gateway_in_process import ADMIN, BASE, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR, OVER = 3550, 3700
PAGE = {"content_type": "text/html"}


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


def refusal(code: int, error: str = "") -> faults.Fault:
    return faults.oauth_error(error, code=code) if error else faults.answer({}, code=code)


# -- pauses -------------------------------------------------------------------------------------------

ASKS_TO_WAIT = {
    "429": (faults.status(429, "", retry_after="120"), 503, 120),
    "429-page": (faults.status(429, "<h1>", retry_after="120", **PAGE), 503, 120),
    "429-without-a-time": (faults.status(429), 503, 30),
    "408": (faults.status(408), 503, 10),
    "503": (faults.status(503, "", retry_after="120"), 502, 120),
    "slow-down": (refusal(400, "slow_down"), 502, 30),
    "403-with-a-time": (faults.status(403, '{"message": "slower"}', retry_after="120"), 502, 120),
    "made-up-with-a-time": (faults.status(400, '{"error": "calm_down"}', retry_after="120"), 502, 120),
    "ratelimited-200": (refusal(200, "ratelimited"), 502, 30),
    "firewall-401": (faults.html(code=401), 502, 30),
    "firewall-403": (faults.html(code=403), 502, 30),
}
"""The fault, what the caller who met it is answered, and for how many seconds."""


@pytest.mark.parametrize("case", ASKS_TO_WAIT)
async def test_it_is_not_asked_again_before_its_time(case, connected: Connected, gateway, provider):
    fault, status, seconds = ASKS_TO_WAIT[case]
    await connected.authorize(BOB)
    gateway.clock.advance(seconds=OVER)
    gateway.clock.stop()
    provider.arm("token", fault)
    first = await connected.fetch()
    assert (first.status_code, first.headers["retry-after"]) == (status, str(seconds))
    later = await asyncio.gather(*(connected.fetch() for _ in range(4)), connected.fetch(BOB))
    assert {(answer.status_code, answer.json()["cause"]) for answer in later} == {(503, "provider-busy")}
    assert all(0 < int(answer.headers["retry-after"]) <= seconds + 1 for answer in later)
    assert len(connected.refreshes()) == 1
    provider.heal()
    gateway.clock.advance(seconds=seconds + 1)
    assert (await connected.fetch()).status_code == 200  # nothing was thrown away
    assert (await connected.fetch(BOB)).status_code == 200


async def test_the_grant_is_not_judged_by_what_comes_with_a_429(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=OVER)
    provider.arm("token", faults.oauth_error("invalid_grant", code=429))
    assert (await connected.fetch()).status_code == 503
    assert (await connected.status())["status"] != "needs_reauth"


async def test_a_token_that_holds_serves_on_during_a_pause(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=NEAR)
    gateway.clock.stop()
    provider.arm("token", faults.status(429, retry_after="40"))
    for _ in range(4):
        assert (await connected.fetch()).status_code == 200
        gateway.clock.advance(seconds=11)  # beyond the ten seconds that every failed renewal is left alone
    assert len(connected.refreshes()) == 1


async def test_a_changed_gateway_is_asked_at_once(connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=OVER)
    provider.arm("token", faults.status(429, retry_after="3600"), times=1)
    assert (await connected.fetch()).status_code == 503
    headers = await connected.bearer(ADMIN)
    async with gateway.client(None, **headers) as client:
        assert (await client.put(f"{BASE}/gateways/{connected.id}", json={"name": "Other"})).status_code == 200
    assert (await connected.fetch()).status_code == 200


async def test_a_gateways_own_token_waits_too(gateway: InnerGateway, provider: FaultSwitch):
    config = {"grant_type": "client_credentials", "client_id": "own", "client_secret": "a secret of its own"}
    own = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
    provider.arm("token", faults.status(503, retry_after="60"))
    answers = [await own.fetch(user) for user in (BOB, ADMIN, BOB)]
    assert [answer.status_code for answer in answers] == [502, 503, 503]
    assert len(provider.asked("token")) == 1  # not even by the retries that are safe here


async def test_a_registration_waits_too(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("register", faults.status(429, retry_after="60"))
    async with gateway.client(BOB, Accept="application/json") as client:
        answers = [await client.get(f"{BASE}/oauth/authorize/{gateway_id}") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [502, 503, 503]
        assert all("retry-after" in answer.headers for answer in answers)
        assert len(provider.asked("register")) == 1
        provider.heal()
        gateway.clock.advance(seconds=61)
        assert (await client.get(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 302


async def test_a_callback_during_a_pause_uses_nothing_up(connected: Connected, gateway, provider):
    async with gateway.browser(BOB) as browser:
        await browser.open(f"{BASE}/oauth/authorize/{connected.id}")
        back = (await sign_in(browser, user=BOB, follow=False)).headers["location"]
        gateway.clock.stop()
        async with gateway.browser() as other:  # alice meets the 429
            provider.arm("token", faults.status(429, retry_after="20"), times=1)
            met = await other.open(await gateway.returned(other, connected.id))
        assert (met.status, met.headers["retry-after"]) == (503, "20")
        assert "Start again with Authorize in 20 seconds: this authorization is used up." in met.text
        waiting = await browser.open(back)
        assert waiting.status == 503
        assert "nothing of it is used up" in waiting.text
        gateway.clock.advance(seconds=21)
        page = await browser.open(back)
        assert page.title == "OAuth Authorization Successful"


# -- refusals that only a person can mend -------------------------------------------------------------

AT_ONCE = {
    "INVALID_GRANT": refusal(400, "INVALID_GRANT"),
    "invalid_token": refusal(400, "invalid_token"),
    "invalid_token-401": refusal(401, "invalid_token"),
    "expired_token": refusal(400, "expired_token"),
    "token_expired": refusal(401, "token_expired"),
    "refresh_token_reused": refusal(400, "refresh_token_reused"),
    "bad_refresh_token-200": refusal(200, "bad_refresh_token"),
    "interaction_required": refusal(400, "interaction_required"),
}
BY_AND_BY = {
    "invalid_request": refusal(400, "invalid_request"),
    "access_denied": refusal(400, "access_denied"),
    "unauthorized_client": refusal(400, "unauthorized_client"),
    "invalid_scope": refusal(400, "invalid_scope"),
    "server_error-400": refusal(400, "server_error"),
    "made_up": refusal(400, "made_up"),
    **{f"no-code-{code}": refusal(code) for code in (400, 401, 403, 404, 410)},
    "empty-400": faults.status(400),
}


@pytest.mark.parametrize(
    ("fault", "tries"),
    [*((fault, 1) for fault in AT_ONCE.values()), *((fault, 3) for fault in BY_AND_BY.values())],
    ids=[*AT_ONCE, *BY_AND_BY],
)
async def test_a_refusal_for_good_ends_in_a_new_authorization(fault, tries, connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=OVER)
    provider.arm("token", fault)
    answers = [await connected.fetch() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [502] * (tries - 1) + [401] * (6 - tries)
    assert answers[-1].json()["cause"] == "authorization-required"
    assert answers[-1].json()["authorize_url"] == f"{BASE}/oauth/authorize/{connected.id}"
    assert len(connected.refreshes()) == tries
    status = await connected.status()
    assert (status["status"], status["authorized"]) == ("needs_reauth", False)
    provider.heal()
    await connected.authorize()
    assert (await connected.fetch()).status_code == 200


OUTAGES = {
    "500": faults.status(500),
    "503": faults.status(503),
    "invalid_grant-500": refusal(500, "invalid_grant"),
    "page-200": faults.html(),
    "cut": faults.cut(),
    "client": refusal(401, "slow_down"),
    "firewall": faults.html(code=403),
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_is_no_refusal_however_long(fault, connected: Connected, gateway, provider):
    gateway.clock.advance(seconds=OVER)
    provider.arm("token", fault)
    for _ in range(5):
        assert (await connected.fetch()).status_code in {502, 503}
        gateway.clock.advance(seconds=31)
    assert len(connected.refreshes()) == 5
    provider.heal()
    assert (await connected.fetch()).status_code == 200


async def test_refusals_are_counted_for_one_token_alone(connected: Connected, gateway, provider):
    """A renewal that succeeds in between begins anew."""
    for _ in range(2):
        gateway.clock.advance(seconds=OVER)
        provider.arm("token", faults.oauth_error("invalid_request"), times=2)
        assert [(await connected.fetch()).status_code for _ in range(3)] == [502, 502, 200]


# -- the MCP server itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "seconds"),
    [
        (faults.status(429, retry_after="60"), 503, "60"),
        (faults.status(429), 503, "30"),
        (faults.status(503, retry_after="60"), 503, "60"),
        (faults.status(503), 502, None),
    ],
    ids=["429", "429-without-a-time", "503", "503-in-trouble"],
)
async def test_a_busy_mcp_server_is_not_called_a_wrong_url(fault, status, seconds, connected: Connected, provider):
    provider.arm("mcp", fault)
    answer = await connected.fetch()
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, seconds)
    assert ("url" in answer.json()["remedy"]) == (seconds is None)
