"""A changed AUTH_ENCRYPTION_SECRET: flows, tokens, client secrets and sessions, with and without the earlier one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.identity.login import create_link
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch, sign_in
from tests.servers import GatewayBackend
from tests.support.gateway_in_process import ADMIN, BASE, SECRET, InnerGateway, open_gateway

pytestmark = [pytest.mark.needs("latchpin_dcr"), pytest.mark.backends("sqlite", "redis")]

NEW = "another-secret-of-the-tests-with-enough-characters"
TITLE = "OAuth Authorization Successful"
SIGNATURE = "Invalid state signature - possible CSRF attack"

Run = Callable[..., AbstractAsyncContextManager[InnerGateway]]


@pytest.fixture
def run(environment: pytest.MonkeyPatch, backend: GatewayBackend) -> Run:
    """Starts a gateway over the backend's data, with the secrets given."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)

    @contextlib.asynccontextmanager
    async def opened(secret: str = SECRET, old: str = "") -> AsyncIterator[InnerGateway]:
        environment.setenv("AUTH_ENCRYPTION_SECRET", secret)
        environment.setenv("AUTH_ENCRYPTION_SECRETS_OLD", old)
        async with open_gateway() as gateway:
            yield gateway
        tear_down_logging()

    return opened


@contextlib.asynccontextmanager
async def same_browser(gateway: InnerGateway, earlier: Browser, user: str | None = "alice@example.com"):
    async with gateway.browser(user) as browser:
        browser.cookies.update(earlier.cookies)
        yield browser


async def authorize(gateway: InnerGateway, gateway_id: str, browser: Browser):
    await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
    return await sign_in(browser)


async def test_a_pending_flow_gets_the_signature_error_and_lives_on_with_the_old_secret(
    run: Run, provider: FaultSwitch, log
):
    async with run() as first, first.browser() as browser:
        gateway_id = await first.add(provider.provider.mcp_url)
        callback = await first.returned(browser, gateway_id)
    async with run(NEW) as second, same_browser(second, browser) as again:
        page = await again.open(callback)
        assert page.status == 400
        assert SIGNATURE in page.text
        assert "AUTH_ENCRYPTION_SECRETS_OLD" in page.text
    lines = [line for line in log().splitlines() if SIGNATURE in line]
    assert "AUTH_ENCRYPTION_SECRET changed since" in lines[0]
    assert f"ERROR - OAuth callback failed: {SIGNATURE}" in lines[1]
    async with run(NEW, old=SECRET) as third, same_browser(third, browser) as again:
        assert (await again.open(callback)).title == TITLE
    assert "Traceback" not in log()


async def test_stored_tokens_need_a_new_authorization_that_heals(run: Run, provider: FaultSwitch, log):
    async with run() as first, first.browser() as browser:
        gateway_id = await first.add(provider.provider.mcp_url)
        assert (await authorize(first, gateway_id, browser)).title == TITLE
    async with run(NEW) as second, second.client() as alice, same_browser(second, browser) as again:
        status = (await alice.get(f"{BASE}/oauth/status/{gateway_id}")).json()["user_token_status"]
        assert (status["status"], status["authorized"]) == ("needs_reauth", False)
        refused = await bearer_fetch(second, gateway_id)
        assert refused.status_code == 401
        assert refused.json()["authorize_url"] == f"{BASE}/oauth/authorize/{gateway_id}"
        # the registered client's secret is sealed under the earlier secret too
        page = await again.open(f"{BASE}/oauth/authorize/{gateway_id}")
        assert page.status == 503
        assert "AUTH_ENCRYPTION_SECRETS_OLD" in page.text
        clients = await second.application.services.records.clients.list()
        assert clients[0].id in page.text  # what to delete
        await second.application.clients.delete(clients[0].id)
        assert (await authorize(second, gateway_id, again)).title == TITLE
        assert (await bearer_fetch(second, gateway_id)).status_code == 200
    assert "Traceback" not in log()


async def test_stored_tokens_serve_on_with_the_old_secret(run: Run, provider: FaultSwitch):
    async with run() as first, first.browser() as browser:
        gateway_id = await first.add(provider.provider.mcp_url)
        await authorize(first, gateway_id, browser)
    async with run(NEW, old=SECRET) as second, second.client() as alice, same_browser(second, browser) as again:
        status = (await alice.get(f"{BASE}/oauth/status/{gateway_id}")).json()["user_token_status"]
        assert status["status"] == "valid"
        assert (await bearer_fetch(second, gateway_id)).status_code == 200
        assert (await authorize(second, gateway_id, again)).title == TITLE
    async with run(NEW) as third:  # what was written meanwhile needs the earlier secret no more
        assert (await bearer_fetch(third, gateway_id)).status_code == 200


async def test_an_entered_client_secret_answers_503_with_the_remedy(run: Run, provider: FaultSwitch, log):
    config = {
        "client_id": "entered",
        "client_secret": "a-client-secret-that-was-entered",
        "issuer": provider.provider.issuer,
    }
    async with run() as first:
        gateway_id = await first.add(provider.provider.mcp_url, oauth_config=config)
    async with run(NEW) as second, second.client(Accept="application/json") as alice:
        refused = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
        assert (refused.status_code, refused.json()["cause"]) == (503, "unsealable")
        assert "AUTH_ENCRYPTION_SECRETS_OLD" in refused.json()["remedy"]
        assert "enter the gateway's client_secret anew" in refused.json()["remedy"]
        assert (await alice.get(f"{BASE}/gateways/{gateway_id}")).status_code == 200
    async with run(NEW, old=SECRET) as third, third.client() as alice:
        assert (await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 302
    assert "Traceback" not in log()


async def test_people_sign_in_again_and_nothing_fails(run: Run, log):
    async with run() as first, first.browser(None) as browser:
        page = await browser.open(await create_link(first.application.services, ADMIN))
        assert (await browser.submit(page.form(action="/login"))).status == 200
    async with run(NEW, old=SECRET) as second, same_browser(second, browser, None) as again:
        assert ADMIN in (await again.open(f"{BASE}/")).text
    async with run(NEW) as third, same_browser(third, browser, None) as again:
        page = await again.open(f"{BASE}/")
        assert page.url.startswith(f"{BASE}/login?next=")
        page = await again.open(await create_link(third.application.services, ADMIN))
        await again.submit(page.form(action="/login"))
        assert ADMIN in (await again.open(f"{BASE}/")).text
    assert "Traceback" not in log()


async def bearer_fetch(gateway: InnerGateway, gateway_id: str):
    """Fetch tools as alice, with a token of the gateway's own."""
    token = await gateway.application.signed_tokens.create_bearer("alice@example.com", False, timedelta(hours=1))
    async with gateway.client(None, Authorization=f"Bearer {token}") as alice:
        return await alice.post(f"{BASE}/oauth/fetch-tools/{gateway_id}")
