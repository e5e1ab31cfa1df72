"""The page for servers behind the endpoint that the person is not connected to: each can be connected or skipped."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from latchpin.contracts import ProtectedResource, ProtectedResources
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import StockClient, answer_of
from tests.providers import FaultSwitch
from tests.providers.servers import sign_in
from tests.support.gateway_in_process import BASE, InnerGateway

ENDPOINT = f"{BASE}/mcp"


@pytest.fixture
async def stock(gateway: InnerGateway, provider: FaultSwitch, stock: StockClient) -> StockClient:
    """A client for an endpoint with two servers behind it: Files and Mail."""
    await gateway.add(provider.provider.mcp_url + "?mail", name="Mail")
    services = gateway.application.services

    async def find(application, url, caller):
        gateways = tuple(sorted(await application.gateways.list(caller), key=lambda each: each.name))
        return ProtectedResource(ENDPOINT, "Everything", gateways) if url == ENDPOINT else None

    async def list_all(application, caller):
        return [await find(application, ENDPOINT, caller)]

    one = ProtectedResources("/mcp".__eq__, find, list_all)
    changed = replace(services, protected_resources=[one, *services.protected_resources])
    gateway.app.state.services = gateway.application.services = changed
    await stock.introduce()
    return stock


async def ask(stock: StockClient, browser: Browser):
    """As far as the page about the servers."""
    page = await browser.open(stock.authorization_url(resource=ENDPOINT))
    return await browser.submit(page.form(action="/oauth2/decision"), press="allow")


def links(page) -> dict[str, str]:
    """The page's links by what they are called for those who do not see them."""
    found = re.findall(r'href="([^"]+)"(?: aria-label="([^"]+)")?[^>]*>([^<]+)<', page.text)
    return {label or words: path.replace("&amp;", "&") for path, label, words in found}


async def test_each_server_has_its_row(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    assert page.title == "Connect your accounts"
    assert {"Connect Files", "Skip Files", "Connect Mail", "Skip Mail", "Go on without them"} <= links(page).keys()


async def test_skipping_one_leaves_the_other(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Skip Files"])
    assert page.title == "Connect Mail"
    assert "Skip Files" not in links(page)
    page = await browser.open(BASE + links(page)["Skip Mail"])
    assert "code" in answer_of(page)


async def test_skipping_all_leads_back_to_the_client(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    assert "code" in answer_of(await browser.open(BASE + links(page)["Go on without them"]))


async def test_connecting_one_leads_back_to_the_page(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    await browser.open(BASE + links(page)["Connect Files"])
    page = await sign_in(browser)
    assert page.title == "Connect Mail"


async def test_a_server_that_does_not_exist_skips_nothing(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    back = links(page)["Skip Files"].partition("&skip=")[0]
    for text in ("1", "ALL", "", "0" * 32):
        page = await browser.open(f"{BASE}{back}&skip={text}")
        assert page.title == "Connect your accounts", text
