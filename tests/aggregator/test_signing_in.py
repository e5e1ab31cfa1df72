"""A client that knows the one URL signs in once; its person connects or skips each server; its token is for here."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from latchpin.model import Caller
from latchpin_aggregator.sets.directory import open_sets
from latchpin_aggregator.sets.entry import parse_set_body
from latchpin_demo.browser import Browser, Page

from tests.aggregator.conftest import Program, text_in
from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.providers import FaultSwitch, sign_in
from tests.providers.servers import start_sdk_provider
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

HERE = f"{BASE}/mcp"


@pytest.fixture
async def stock(gateway: InnerGateway, provider: FaultSwitch) -> AsyncIterator[StockClient]:
    """It knows one URL; two servers stand behind it that want their person's account."""
    with start_sdk_provider() as other:
        await gateway.add(provider.provider.mcp_url, name="Files")
        await gateway.add(other.mcp_url, name="Mail")
        async with gateway.client(None) as http:
            client = StockClient(http, HERE)
            await client.introduce()
            yield client


@pytest.fixture
async def browser(gateway: InnerGateway) -> AsyncIterator[Browser]:
    async with Browser(gateway.client(ALICE), stops_before=REDIRECT_URI) as opened:
        yield opened


async def ask(stock: StockClient, browser: Browser) -> Page:
    """As far as the page about the servers."""
    page = await browser.open(stock.authorization_url())
    assert "All servers" in page.text
    return await browser.submit(page.form(action="/oauth2/decision"), press="allow")


def links(page: Page) -> dict[str, str]:
    found = re.findall(r'href="([^"]+)"(?: aria-label="([^"]+)")?[^>]*>([^<]+)<', page.text)
    return {label or words: path.replace("&amp;", "&") for path, label, words in found}


async def program_of(stock: StockClient, page: Page) -> Program:
    tokens = (await stock.redeem(answer_of(page)["code"])).raise_for_status().json()
    stock.http.headers["authorization"] = f"Bearer {tokens['access_token']}"
    return Program(stock.http, HERE)


async def test_each_server_has_a_row_and_each_may_be_skipped(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    assert {"Connect Files", "Skip Files", "Connect Mail", "Skip Mail"} <= links(page).keys()
    await browser.open(BASE + links(page)["Connect Mail"])
    page = await sign_in(browser)
    assert page.title == "Connect Files"
    page = await browser.open(BASE + links(page)["Skip Files"])
    program = await program_of(stock, page)
    assert {"mail__whose", "latchpin_connect"} <= set(await program.tools())
    assert not [name for name in await program.tools() if name.startswith("files__")]
    assert text_in(await program.call("mail__whose")) == ALICE


async def test_who_skips_all_gets_in_and_is_told_by_the_call(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Go on without them"])
    program = await program_of(stock, page)
    assert set(await program.tools()) == {"latchpin_connect"}
    for era in ("modern", "sessions"):
        told = await Program(stock.http, HERE, era).call("files__search")
        assert "/for/" in text_in(told)
        assert told["result"]["isError"]
    assert program.last is not None
    assert program.last.status_code == 200, "another sign-in would not help: other servers serve"


async def test_a_program_that_opens_links_is_asked_to(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Go on without them"])
    program = await program_of(stock, page)
    program.capabilities = {"elicitation": {"url": {}}}
    told = await program.call("mail__whose")
    assert "result" in told, told
    asked = told["result"]
    assert asked["resultType"] == "input_required"
    request = asked["inputRequests"]["authorize"]["params"]
    assert request["message"].startswith("Mail (")
    await browser.open(request["url"])
    await sign_in(browser)
    answer = {"authorize": {"action": "accept"}}
    again = await program.ask(
        "tools/call", name="mail__whose", arguments={}, requestState=asked["requestState"], inputResponses=answer
    )
    assert text_in(again) == ALICE


async def test_the_tool_asks_for_each_that_waits(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Go on without them"])
    program = await program_of(stock, page)
    program.capabilities = {"elicitation": {"url": {}}}
    asked = (await program.call("latchpin_connect"))["result"]
    assert asked["resultType"] == "input_required"
    assert set(asked["inputRequests"]) == {"files", "mail"}
    mail = asked["inputRequests"]["mail"]["params"]
    assert mail["message"].startswith("Mail (")
    await browser.open(mail["url"])
    await sign_in(browser)
    answers = {"mail": {"action": "accept"}, "files": {"action": "decline"}}
    again = await program.ask("tools/call", name="latchpin_connect", arguments={}, inputResponses=answers)
    assert again["result"]["resultType"] == "complete"
    assert "Files (files) waits" in text_in(again)
    assert "Mail" not in text_in(again)


async def test_a_program_with_sessions_that_opens_links_is_told_which(stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Go on without them"])
    program = await program_of(stock, page)
    program.era, program.capabilities = "sessions", {"elicitation": {"url": {}}}
    error = (await program.call("mail__whose"))["error"]
    assert error["code"] == -32042
    (link,) = error["data"]["elicitations"]
    assert link["message"].startswith("Mail (")
    await browser.open(link["url"])
    await sign_in(browser)
    assert text_in(await program.call("mail__whose")) == ALICE


async def test_a_token_for_here_is_for_here_alone(gateway: InnerGateway, stock: StockClient, browser: Browser):
    page = await ask(stock, browser)
    page = await browser.open(BASE + links(page)["Go on without them"])
    program = await program_of(stock, page)
    assert (await program.ask("server/discover"))["result"]["supportedVersions"][0] == "2026-07-28"
    (gateway_id, *_) = [each.id for each in await gateway.application.services.records.gateways.list()]
    elsewhere = await stock.http.post(f"{BASE}/gateways/{gateway_id}/mcp", json={})
    assert elsewhere.status_code == 401
    assert (await stock.http.get(f"{BASE}/gateways", headers={"accept": "application/json"})).status_code == 401


async def test_a_token_for_a_set_is_for_that_set(gateway: InnerGateway, stock: StockClient, browser: Browser):
    records = gateway.application.services.records.gateways
    files, mail = [each.id for each in await records.list()]
    await gateway.add("http://127.0.0.1:1/mcp", name="Elsewhere")
    sets, admin = await open_sets(gateway.application), Caller(ALICE, is_admin=True, via="test")
    for slug in ("post", "other"):
        await sets.create(parse_set_body({"slug": slug, "name": slug.title(), "gateways": [mail, files]}), admin)
    stock.mcp_url = f"{HERE}/post"
    page = await browser.open(stock.authorization_url())
    assert "Post" in page.text
    page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    rows = [each for each in links(page) if each.startswith("Connect ")]
    assert rows == ["Connect Mail", "Connect Files"], "a row for each server of the set, in its order"
    await browser.open(BASE + links(page)["Connect Mail"])
    page = await sign_in(browser)
    page = await browser.open(BASE + links(page)["Skip Files"])
    tokens = (await stock.redeem(answer_of(page)["code"])).raise_for_status().json()
    stock.http.headers["authorization"] = f"Bearer {tokens['access_token']}"
    program = Program(stock.http, stock.mcp_url)
    assert text_in(await program.call("mail__whose")) == ALICE
    for elsewhere in (HERE, f"{HERE}/other", f"{HERE}/nothing"):
        assert (await stock.http.post(elsewhere, json={})).status_code == 401
    await sets.change("post", parse_set_body({"allowed_users": ["bob@example.com"]}), admin)
    assert (await stock.http.post(stock.mcp_url, json={})).status_code == 404


async def test_a_token_for_a_gateway_is_not_for_here(gateway: InnerGateway, stock: StockClient, browser: Browser):
    (gateway_id, *_) = [each.id for each in await gateway.application.services.records.gateways.list()]
    stock.mcp_url = f"{BASE}/gateways/{gateway_id}/mcp"
    page = await stock.visit(browser)
    await program_of(stock, page)
    refused = await stock.http.post(HERE, json={})
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
