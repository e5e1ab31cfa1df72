"""What has access as whom: the person's page, the administrators' page, the API, and how access ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from latchpin_authorization_server.grants.grant import make_grant
from latchpin_authorization_server.server import AuthorizationServer, open_server
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import StockClient, answer_of
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

BOB = "bob@example.com"
GRANTS = f"{BASE}/oauth2/grants"
DAY = timedelta(days=1)


@asynccontextmanager
async def program_of(gateway: InnerGateway, email: str, *, admin: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    token = await gateway.application.signed_tokens.create_bearer(email, admin, DAY)
    async with gateway.client(None, Authorization=f"Bearer {token}") as client:
        yield client


@pytest.fixture
async def alice(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A program of Alice's."""
    async with program_of(gateway, ALICE) as client:
        yield client


@pytest.fixture
async def administrator(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A program of an administrator's."""
    async with program_of(gateway, ADMIN, admin=True) as client:
        yield client


@pytest.fixture
async def server(gateway: InnerGateway) -> AuthorizationServer:
    return await open_server(gateway.application.services.context)


async def is_let_in(stock: StockClient, tokens: dict[str, str]) -> bool:
    """Whether the access token is taken."""
    called = (await stock.call(tokens["access_token"])).status_code
    assert called in {200, 401}
    return called == 200


# -- the person's page --------------------------------------------------------------------------------------


async def test_what_was_allowed_is_on_the_page_with_where_it_runs(stock: StockClient, browser: Browser):
    await stock.introduce(client_name="A helper")
    tokens = (await stock.redeem(answer_of(await stock.visit(browser))["code"])).json()
    page = await browser.open(f"{BASE}/applications")
    assert "A helper" in page.text
    assert "It runs on a computer." in page.text
    assert "Files" in page.text
    (end,) = (form for form in page.forms if "grant" in form.fields)
    page = await browser.submit(end)
    assert "A helper has no access there any more." in page.text
    assert "No application may use anything as you." in page.text
    assert not await is_let_in(stock, tokens)
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await browser.open(stock.authorization_url())).form(action="/oauth2/decision")  # the consent went too


async def test_what_was_ended_has_to_ask_again(stock: StockClient, browser: Browser):
    await stock.gets_in(browser)
    assert "code" in answer_of(await browser.open(stock.authorization_url()))  # remembered
    page = await browser.open(f"{BASE}/applications")
    page = await browser.submit(page.form(button="End all access"))
    assert "If it wants some again, you are asked." in page.text
    page = await browser.open(stock.authorization_url())
    assert page.form(action="/oauth2/decision")


async def test_a_code_that_nobody_redeemed_is_no_access(stock: StockClient, browser: Browser):
    await stock.introduce()
    await stock.visit(browser)
    assert "No application may use anything as you." in (await browser.open(f"{BASE}/applications")).text


async def test_nobody_ends_what_is_another_persons(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    tokens = await stock.gets_in(browser)
    async with program_of(gateway, BOB) as bob:
        (grant,) = [each async for each in server.grants.of_everybody()]
        assert (await bob.delete(f"{GRANTS}/{grant.id}")).status_code == 404
        asked = {"client_id": stock.client["client_id"]}
        assert (await bob.delete(GRANTS, params=asked)).status_code == 404
        assert (await bob.delete(GRANTS, params=asked | {"user": ALICE})).status_code == 403
        assert (await bob.get(GRANTS)).json() == {"grants": [], "total": 0}
        assert (await bob.get(GRANTS, params={"user": ALICE})).status_code == 403
        assert (await bob.get(f"{BASE}/applications/everybody")).status_code == 403
    assert await is_let_in(stock, tokens)


# -- the API ------------------------------------------------------------------------------------------------


async def test_the_api_lists_and_ends_one(stock: StockClient, browser: Browser, alice: httpx.AsyncClient):
    tokens = await stock.gets_in(browser)
    (listed,) = (await alice.get(GRANTS)).json()["grants"]
    assert (listed["app_user_email"], listed["client_id"]) == (ALICE, stock.client["client_id"])
    assert listed["resource"] == stock.mcp_url
    assert "hash" not in str(listed)
    ended = (await alice.delete(f"{GRANTS}/{listed['id']}")).json()
    assert ended["grants"] == [listed]
    assert not await is_let_in(stock, tokens)
    assert (await alice.delete(f"{GRANTS}/{listed['id']}")).status_code == 404


async def test_the_api_ends_all_of_a_client(stock: StockClient, browser: Browser, alice: httpx.AsyncClient):
    first = await stock.gets_in(browser)
    second = (await stock.redeem(answer_of(await browser.open(stock.authorization_url()))["code"])).json()
    ended = (await alice.delete(GRANTS, params={"client_id": stock.client["client_id"]})).json()
    assert len(ended["grants"]) == 2
    assert not await is_let_in(stock, first)
    assert not await is_let_in(stock, second)


async def test_an_application_ends_nothing_with_its_own_token(stock: StockClient, browser: Browser):
    tokens = await stock.gets_in(browser)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await stock.http.get(GRANTS, headers=bearer)).status_code == 401


# -- administrators -----------------------------------------------------------------------------------------


async def test_administrators_see_and_end_everybodys(
    gateway: InnerGateway, stock: StockClient, browser: Browser, administrator: httpx.AsyncClient
):
    tokens = await stock.gets_in(browser)
    (listed,) = (await administrator.get(GRANTS)).json()["grants"]
    assert listed["app_user_email"] == ALICE
    assert (await administrator.get(GRANTS, params={"user": BOB})).json()["total"] == 0
    async with Browser(gateway.client(ADMIN)) as admins:
        page = await admins.open(f"{BASE}/applications/everybody?q=nobody")
        assert "Nothing matches that." in page.text
        for wanted in ("ALICE", "files", stock.client["client_id"]):
            page = await admins.open(f"{BASE}/applications/everybody?q={wanted}")
            assert "1 of 1" in page.text
        page = await admins.submit(page.form(button="End"))
        assert f"has no access as {ALICE} there any more." in page.text
    assert not await is_let_in(stock, tokens)


async def test_what_people_call_themselves_is_text(gateway: InnerGateway, server: AuthorizationServer):
    grant, _ = make_grant(
        email=ALICE, client_id="x", client_name="<b>bold</b>", resource="https://x/<i>", now=server.clock()
    )
    await server.grants.put(replace(grant, code_hash=""))
    for whose, path in ((ALICE, "/applications"), (ADMIN, "/applications/everybody")):
        async with gateway.client(whose, Accept="text/html") as client:
            text = (await client.get(BASE + path)).text
        assert "&lt;b&gt;bold" in text
        assert "<b>bold" not in text
        assert "<i>" not in text
