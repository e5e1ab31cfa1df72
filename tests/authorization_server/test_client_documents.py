"""Clients that publish a document about themselves: found by it, and held to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from latchpin.model import Reply
from latchpin_authorization_server.clients import documents
from latchpin_authorization_server.clients.document import (
    LARGEST,
    is_document_url,
    parse_document,
    read_lifetime,
)
from latchpin_authorization_server.clients.documents import MOST_OF_HOST
from latchpin_authorization_server.server import open_server

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import InnerGateway
from tests.support.http_servers import Page, Site, open_site

URL = "https://app.example/client.json"
PATH = "GET /client.json"


def document(client_id: str = URL, **more: Any) -> dict[str, Any]:
    said = {"client_id": client_id, "client_name": "Editor", "redirect_uris": [REDIRECT_URI]}
    return said | {"grant_types": ["authorization_code", "refresh_token"]} | more


def page(body: Any, *, cache: str = "", kind: str = "application/json", status: int = 200, **headers: str) -> Page:
    return Page(body, status, {"Content-Type": kind, **({"Cache-Control": cache} if cache else {}), **headers})


def reply(body: bytes = b"{}", *, status: int = 200, **headers: str) -> Reply:
    return Reply(URL, status, {"content-type": "application/json", **headers}, body)


# -- what a URL must be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", [URL, "https://app.example/a/", "https://app.example:8443/c", "https://[2001:db8::1]/c"]
)
def test_an_https_url_with_a_path_is_a_documents(url: str):
    assert is_document_url(url, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example",
        "https://app.example/",
        "http://app.example/client.json",
        "http://localhost/client.json",
        "https://user@app.example/client.json",
        "https://app.example/client.json#a",
        "https://app.example/client.json#",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/%2e%2E/client.json",
        "https://app.example/client json",
        "javascript:alert(1)/",
        "urn:app:client",
        "app",
        "",
    ],
)
def test_nothing_else_is(url: str):
    assert not is_document_url(url, private=False)


def test_http_will_do_on_this_machine_only_where_private_networks_are_allowed():
    assert is_document_url("http://127.0.0.1:9/client.json", private=True)
    assert not is_document_url("http://10.0.0.1/client.json", private=True)


# -- what a document must say ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (reply(status=302, location="https://app.example/other.json"), "status 302"),
        (reply(status=404), "status 404"),
        (reply(b"[]"), "no JSON object"),
        (reply(b"{" * 4000), "no JSON object"),
        (reply(b"\xff"), "no JSON object"),
        (reply(b" " * (LARGEST + 1)), "more than 5000 bytes"),
        (Reply(URL, 200, {"content-type": "text/html"}, b"{}"), "content type"),
        (Reply(URL, 200, {}, b"{}"), "content type"),
    ],
)
def test_an_answer_that_is_no_document_is_refused(answer: Reply, problem: str):
    with pytest.raises(ValueError, match=problem):
        parse_document(answer, URL)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"client_id": "https://app.example/client.json/"}, "not the URL"),
        ({"client_id": "https://APP.example/client.json"}, "not the URL"),
        ({"client_id": None}, "not the URL"),
        ({"client_secret": "x"}, "holds a secret"),
        ({"client_secret_expires_at": 0}, "holds a secret"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "one of none, private_key_jwt"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "one of none, private_key_jwt"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "either jwks or jwks_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "private-use scheme"),
        ({"redirect_uris": ["http://app.example/cb"]}, "localhost"),
        ({"redirect_uris": []}, "at least one"),
        ({"redirect_uris": "https://app.example/cb"}, "list"),
        ({"client_name": ["Editor"]}, "text"),
    ],
)
def test_a_document_that_does_not_hold_is_refused(more: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        parse_document(reply(page(document(**more)).encode().partition(b"\r\n\r\n")[2]), URL)


def test_a_logo_is_nothing_to_us_whoevers_it_is():
    said = document(logo_uri="https://famous.example/logo.png", client_uri="https://famous.example")
    client = parse_document(reply(page(said).encode().partition(b"\r\n\r\n")[2]), URL)
    assert "famous" not in repr(client)
    assert (client.name, client.vouched_by) == ("Editor", "app.example")


@pytest.mark.parametrize(
    ("cache", "seconds"),
    [
        ("max-age=300", 300),
        ("public, Max-Age=300", 300),
        ("max-age=1", 10),
        ("no-store", 10),
        ("no-cache, max-age=300", 10),
        ("max-age=99999999", 86_400),
        ("", 3600),
        ("max-age=soon", 3600),
    ],
)
def test_how_long_it_may_be_used(cache: str, seconds: int):
    assert read_lifetime(reply(**{"cache-control": cache})) == timedelta(seconds=seconds)


# -- the way in -----------------------------------------------------------------------------------------------


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        opened.pages[PATH] = page(document(f"{opened.url}/client.json"))
        yield opened


@pytest.fixture
async def editor(stock: StockClient, site: Site) -> StockClient:
    """A client that is called by its document's URL."""
    await stock.discover()
    stock.client = {"client_id": f"{site.url}/client.json"}
    return stock


async def ask(gateway: InnerGateway, editor: StockClient, **changes: str | None) -> Any:
    async with gateway.client() as http:
        return await http.get(editor.authorization_url(**changes))


async def test_a_client_gets_in_by_its_document(editor: StockClient, browser, site: Site):
    answer = answer_of(await editor.visit(browser))
    tokens = (await editor.redeem(answer["code"])).raise_for_status().json()
    again = (await editor.refresh(tokens["refresh_token"])).raise_for_status().json()
    assert (await editor.call(again["access_token"])).status_code == 200
    assert site.asked == [PATH]


async def test_the_person_is_told_whose_word_it_is(editor: StockClient, browser, site: Site):
    shown = await browser.open(editor.authorization_url())
    assert f"A document at <code>{site.url.removeprefix('http://')}</code> says it. Nobody else has" in shown.text
    assert "Any program on your computer can pass for it" in shown.text


async def test_only_who_is_signed_in_has_it_fetched(gateway: InnerGateway, editor: StockClient, site: Site):
    answer = await editor.http.get(editor.authorization_url())
    assert "/login" in answer.headers["location"]
    assert (await editor.redeem("a.b.c")).json()["error"] == "invalid_client"
    assert site.asked == []


async def test_it_is_used_as_long_as_it_says_and_then_fetched_anew(gateway: InnerGateway, editor: StockClient, site):
    site.pages[PATH] = page(document(editor.client["client_id"]), cache="max-age=60")
    gateway.clock.stop()
    for _ in range(2):
        assert (await ask(gateway, editor)).status_code == 200
        gateway.clock.advance(seconds=30)
    await ask(gateway, editor)
    assert site.asked == [PATH] * 2


async def test_it_is_fetched_anew_for_a_redirect_uri_that_it_lacks(gateway: InnerGateway, editor: StockClient, site):
    gateway.clock.stop()
    new = "https://app.example/new"
    assert (await ask(gateway, editor)).status_code == 200
    site.pages[PATH] = page(document(editor.client["client_id"], redirect_uris=[new]))
    assert (await ask(gateway, editor, redirect_uri=new)).status_code == 400
    assert len(site.asked) == 1, "at once after the last time nobody is asked again"
    gateway.clock.advance(seconds=10)
    assert (await ask(gateway, editor, redirect_uri=new)).status_code == 200
    assert (await ask(gateway, editor)).status_code == 400


async def test_a_redirect_is_not_followed(gateway: InnerGateway, editor: StockClient, site: Site):
    site.pages[PATH] = page(b"", status=302, Location=f"{site.url}/other.json")
    site.pages["GET /other.json"] = page(document(editor.client["client_id"]))
    answer = await ask(gateway, editor)
    assert (answer.status_code, answer.json()["cause"]) == (400, "client-document-refused")
    assert site.asked == [PATH]


async def test_a_failure_stands_for_half_a_minute(gateway: InnerGateway, editor: StockClient, site: Site):
    gateway.clock.stop()
    site.pages[PATH] = page(b"no")
    for _ in range(3):
        assert (await ask(gateway, editor)).status_code == 400
    assert site.asked == [PATH]
    site.pages[PATH] = page(document(editor.client["client_id"]))
    gateway.clock.advance(seconds=31)
    assert (await ask(gateway, editor)).status_code == 200


async def test_one_host_is_asked_few_times_in_a_minute(gateway: InnerGateway, editor: StockClient, site: Site):
    gateway.clock.stop()
    for number in range(MOST_OF_HOST + 5):
        assert (await ask(gateway, editor, client_id=f"{site.url}/{number}.json")).status_code == 400
    assert len(site.asked) == MOST_OF_HOST
    gateway.clock.advance(minutes=2)
    assert (await ask(gateway, editor)).status_code == 200


async def test_where_very_many_are_kept_the_oldest_that_nobody_allows_anything_makes_room(
    gateway: InnerGateway, editor: StockClient, browser, site: Site, monkeypatch: pytest.MonkeyPatch
):
    gateway.clock.stop()
    await editor.visit(browser)  # the oldest, and allowed
    gateway.clock.advance(seconds=1)
    await ask(gateway, editor, client_id=f"{site.url}/second.json")
    monkeypatch.setattr(documents, "MOST_KEPT", 2)
    gateway.clock.advance(seconds=1)
    await ask(gateway, editor, client_id=f"{site.url}/third.json")
    kept = (await open_server(gateway.application.services.context)).documents._kept
    assert {held.id for held in await kept.scan(limit=5)} == {editor.client["client_id"], f"{site.url}/third.json"}


async def test_a_document_that_grew_is_refused(gateway: InnerGateway, editor: StockClient, site: Site):
    site.pages[PATH] = page(document(editor.client["client_id"], padding="x" * LARGEST))
    answer = await ask(gateway, editor)
    assert "more than 5000 bytes" in answer.json()["detail"]


async def test_it_outlives_an_outage_at_the_token_endpoint_for_a_week(
    gateway: InnerGateway, editor: StockClient, browser, site: Site
):
    gateway.clock.stop()
    tokens = (await editor.redeem(answer_of(await editor.visit(browser))["code"])).json()
    site.pages[PATH] = page(b"", status=503)
    for _ in range(2):
        gateway.clock.advance(days=3)
        tokens = (await editor.refresh(tokens["refresh_token"])).raise_for_status().json()
    gateway.clock.advance(days=1, hours=1)
    assert (await editor.refresh(tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert (await ask(gateway, editor)).status_code == 400


async def test_a_client_that_is_allowed_something_is_found_where_the_store_let_its_document_go(
    gateway: InnerGateway, editor: StockClient, browser, site: Site
):
    tokens = (await editor.redeem(answer_of(await editor.visit(browser))["code"])).json()
    server = await open_server(gateway.application.services.context)
    await server.documents._kept.delete(editor.client["client_id"])
    assert (await editor.refresh(tokens["refresh_token"])).status_code == 200


class TestWithoutPrivateNetworks:
    @pytest.fixture
    def environment(self, environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        environment.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "false")
        return environment

    @pytest.mark.parametrize("scheme", ["https", "http"])
    async def test_no_address_of_ours_is_asked_or_told_of(self, gateway, stock: StockClient, site: Site, scheme: str):
        await stock.discover()
        url = f"{site.url}/client.json".replace("http:", f"{scheme}:").replace("127.0.0.1", "localhost")
        answer = await ask(gateway, stock, client_id=url)
        assert answer.status_code == 400
        assert "loopback" not in answer.text
        assert "127.0.0.1" not in answer.text
        assert site.asked == []


class TestSwitchedOff:
    @pytest.fixture
    def environment(self, environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        environment.setenv("CLIENT_METADATA_DOCUMENTS_ENABLED", "false")
        return environment

    async def test_no_document_is_fetched(self, gateway, editor: StockClient, site: Site):
        answer = await ask(gateway, editor)
        assert answer.json()["cause"] == "client-unknown"
        assert site.asked == []
