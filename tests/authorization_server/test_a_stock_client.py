"""A client that knows one URL gets in: registration, consent, the MCP server's own authorization, a token, a call."""

from __future__ import annotations

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import BASE


async def test_it_gets_in_with_the_url_alone(stock: StockClient, browser):
    tokens = await stock.gets_in(browser)
    assert tokens["token_type"] == "Bearer"
    answer = await stock.call(tokens["access_token"])
    assert answer.status_code == 200
    assert "serverInfo" in answer.text


async def test_the_answer_names_its_issuer_and_gives_the_state_back(stock: StockClient, browser):
    await stock.introduce()
    answer = answer_of(await stock.visit(browser))
    assert (answer["iss"], answer["state"]) == (BASE, "here & there")


async def test_a_refresh_gives_new_tokens_that_work(stock: StockClient, browser):
    first = await stock.gets_in(browser)
    second = (await stock.refresh(first["refresh_token"])).raise_for_status().json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await stock.call(second["access_token"])).status_code == 200


async def test_who_allowed_it_before_and_is_connected_sees_no_page(stock: StockClient, browser):
    await stock.gets_in(browser)
    page = await browser.open(stock.authorization_url())
    assert "code" in answer_of(page)


async def test_a_person_who_says_no_is_told_to_the_client(stock: StockClient, browser):
    await stock.introduce()
    answer = answer_of(await stock.visit(browser, decision="deny"))
    assert answer["error"] == "access_denied"


async def test_a_client_that_looks_first_is_sent_to_the_sign_in(stock: StockClient):
    await stock.introduce()
    looked = await stock.http.get(stock.authorization_url(), headers={"accept": "*/*"}, follow_redirects=False)
    assert looked.status_code == 303
    assert looked.headers["location"].startswith(f"{BASE}/login?next=")


async def test_a_client_that_looks_first_is_told_that_its_registration_is_gone(stock: StockClient):
    await stock.introduce()
    looked = await stock.http.get(stock.authorization_url(client_id="forgotten"), headers={"accept": "*/*"})
    assert looked.status_code == 400


async def test_a_client_that_names_no_grant_types_may_refresh(stock: StockClient):
    await stock.discover()
    said = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    registered = await stock.http.post(stock.metadata["registration_endpoint"], json=said)
    assert registered.json()["grant_types"] == ["authorization_code", "refresh_token"]
