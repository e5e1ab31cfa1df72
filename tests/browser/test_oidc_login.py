"""Signing in with a company's provider in a real browser: its cookies and policies, across sites."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.appearance import low_contrasts, small_targets, too_wide
from tests.browser.conftest import DEADLINE_MS, press
from tests.oidc_login.conftest import CLIENT, SECRET, LyingProvider, start_provider
from tests.servers import GatewayBackend
from tests.servers.processes import Reservation
from tests.support.gateway_process import DeployedGateway, deploy_gateway

NEEDS = ("latchpin_oidc_login", "latchpin_memory_store")


@pytest.fixture(scope="module")
def company() -> Iterator[LyingProvider]:
    """The provider, at another site than the gateway: 127.0.0.1 and localhost are two."""
    with start_provider() as provider:
        provider.asks = True
        yield provider


@pytest.fixture(scope="module")
def deployed(company: LyingProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    memory = GatewayBackend("memory", {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}, shared=False, label="memory")
    with Reservation() as reservation:
        settings = {
            "PORT": str(reservation.port),
            "BASE_URL": f"http://localhost:{reservation.port}",
            "OIDC_LOGIN_ISSUER": company.issuer,
            "OIDC_LOGIN_CLIENT_ID": CLIENT,
            "OIDC_LOGIN_CLIENT_SECRET": SECRET,
            "OIDC_LOGIN_LABEL": "Example",
        }
        with deploy_gateway(memory, Path(tmp_path_factory.mktemp("gateway")), **settings) as started:
            yield started


@pytest.fixture
def page(chromium: Browser, watch, deployed: DeployedGateway, company: LyingProvider) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(DEADLINE_MS)
    watch.attach(context)
    opened = context.new_page()
    watch.attach_page(opened)
    yield opened
    context.close()
    watch.check(deployed.url, company.issuer)


def test_there_and_back_across_sites(page: Page, deployed: DeployedGateway):
    page.goto(f"{deployed.url}/admin/gateways")
    expect(page).to_have_title("Sign in")
    assert low_contrasts(page)[1] == []
    assert small_targets(page) == []
    assert too_wide(page) == []
    press(page, "Sign in with Example")
    expect(page).to_have_title("Example accounts")
    press(page, "I am Ada")
    expect(page).to_have_url(f"{deployed.url}/admin/gateways")
    expect(page.locator(".who")).to_have_text("ada@example.com")

    press(page, "Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    press(page, "Sign out there too")
    expect(page).to_have_url(f"{deployed.url}/logout")
    page.goto(deployed.url)
    expect(page).to_have_title("Sign in")


def test_on_the_way_to_an_mcp_server_the_person_is_named_and_the_code_is_gone(page: Page, deployed: DeployedGateway):
    page.goto(f"{deployed.url}/oauth/authorize/{'a' * 32}")
    press(page, "Sign in with Example")
    press(page, "I am Ada")
    expect(page.get_by_text("You are signed in as ada@example.com.")).to_be_visible()
    assert not re.search(r"[?&](code|state)=", page.url)
    press(page, "Go on")
    expect(page).to_have_title("Not found")
