"""Clients register themselves within limits, manage what they registered, and are gone when they are deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from latchpin_authorization_server.server import AuthorizationServer, open_server

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import BASE, InnerGateway

OTHER = "https://app.example/cb"


async def server_of(gateway: InnerGateway) -> AuthorizationServer:
    return await open_server(gateway.application.services.context)


async def manage(stock: StockClient, method: str, *, token: str | None = None, **body: Any) -> httpx.Response:
    """Ask the client's own registration, with its own token unless another is given."""
    token = stock.client["registration_access_token"] if token is None else token
    return await stock.http.request(
        method,
        stock.client["registration_client_uri"],
        json=body or None,
        headers={"authorization": f"Bearer {token}"},
    )


def wishes(stock: StockClient, **changes: Any) -> dict[str, Any]:
    names = ("client_id", "client_name", "redirect_uris", "grant_types", "token_endpoint_auth_method")
    return {name: stock.client[name] for name in names} | changes


async def test_a_client_reads_what_it_registered(stock: StockClient):
    await stock.introduce()
    read = await manage(stock, "GET")
    assert (read.status_code, read.headers["cache-control"]) == (200, "no-store")
    assert read.json() == stock.client
    assert stock.client["registration_client_uri"].startswith(f"{BASE}/oauth2/register/")


async def test_a_client_registers_otherwise_and_keeps_its_secret(gateway: InnerGateway, stock: StockClient):
    await stock.discover()
    await stock.register("client_secret_basic")
    secret = stock.client["client_secret"]
    changed = await manage(stock, "PUT", **wishes(stock, redirect_uris=[OTHER], client_secret=secret))
    assert changed.json()["redirect_uris"] == [OTHER]
    assert "client_secret" not in changed.json()
    stored = await (await server_of(gateway)).client_records.get(stock.client["client_id"])
    assert stored is not None
    assert stored.client.has_secret(secret)


async def test_a_public_client_that_becomes_confidential_is_given_a_secret(stock: StockClient):
    await stock.introduce()
    changed = await manage(stock, "PUT", **wishes(stock, token_endpoint_auth_method="client_secret_post"))
    assert changed.json()["client_secret"]


@pytest.mark.parametrize(
    "more",
    [
        {"client_id": "another"},
        {"client_secret": "another"},
        {"client_secret": ["x"]},
        {"registration_access_token": "x"},
        {"redirect_uris": ["http://app.example/cb"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
    ],
)
async def test_what_does_not_hold_changes_nothing(stock: StockClient, more: dict[str, Any]):
    await stock.introduce()
    assert (await manage(stock, "PUT", **wishes(stock, **more))).status_code == 400
    assert (await manage(stock, "GET")).json()["redirect_uris"] == [REDIRECT_URI]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("token", ["", "wrong", "a" * 5000, "é"])
async def test_nobody_else_manages_it(gateway: InnerGateway, stock: StockClient, method: str, token: str):
    await stock.introduce()
    body = wishes(stock, redirect_uris=[OTHER])
    url = stock.client["registration_client_uri"]
    headers = [(b"authorization", b"Bearer " + token.encode())]
    there = await stock.http.request(method, url, json=body, headers=headers)
    nowhere = await stock.http.request(method, f"{url[:-4]}none", json=body, headers=headers)
    assert (there.status_code, there.content) == (401, nowhere.content)
    assert there.json()["error"] == "invalid_token"
    assert (await manage(stock, "GET")).json()["redirect_uris"] == [REDIRECT_URI]


async def test_a_client_that_goes_takes_what_it_was_allowed_along(gateway: InnerGateway, stock: StockClient, browser):
    tokens = await stock.gets_in(browser)
    assert (await stock.call(tokens["access_token"])).status_code == 200
    assert (await manage(stock, "DELETE")).status_code == 204
    assert (await manage(stock, "GET")).status_code == 401
    assert (await stock.call(tokens["access_token"])).status_code == 401
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_client"
    page = await browser.open(stock.authorization_url())
    assert page.status == 400


async def test_a_client_that_goes_while_its_person_answers_gets_nothing(stock: StockClient, browser):
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    await manage(stock, "DELETE")
    page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    assert not page.url.startswith(REDIRECT_URI)


async def test_a_client_that_goes_with_a_code_in_its_hand_gets_no_token(stock: StockClient, browser):
    await stock.introduce()
    code = answer_of(await stock.visit(browser))["code"]
    await manage(stock, "DELETE")
    assert (await stock.redeem(code)).json()["error"] == "invalid_client"


# -- how long and how many ------------------------------------------------------------------------------------


async def test_an_unused_client_is_forgotten_after_thirty_days(gateway: InnerGateway, stock: StockClient):
    gateway.clock.stop()
    await stock.introduce()
    gateway.clock.advance(days=30, seconds=-1)
    assert (await manage(stock, "GET")).status_code == 200
    gateway.clock.advance(seconds=1)
    assert (await manage(stock, "GET")).status_code == 401


async def test_a_used_client_is_kept_on(gateway: InnerGateway, stock: StockClient, browser):
    gateway.clock.stop()
    tokens = await stock.gets_in(browser)
    for _ in range(3):
        gateway.clock.advance(days=20)
        tokens = (await stock.refresh(tokens["refresh_token"])).raise_for_status().json()
    assert (await manage(stock, "GET")).status_code == 200


async def test_a_large_registration_is_refused(stock: StockClient):
    await stock.discover()
    answer = await stock.register("none", padding="x" * 50_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_client_metadata")


class TestFloods:
    @pytest.fixture
    def environment(self, environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        environment.setenv("CLIENT_REGISTRATIONS_PER_HOUR", "3")
        return environment

    async def test_one_address_registers_so_many_in_an_hour(self, gateway: InnerGateway, stock: StockClient):
        gateway.clock.stop()
        await stock.discover()
        statuses = [(await stock.register("none")).status_code for _ in range(5)]
        assert statuses == [201, 201, 201, 429, 429]
        gateway.clock.advance(hours=1, seconds=1)
        assert (await stock.register("none")).status_code == 201

    async def test_what_a_proxy_that_is_not_trusted_says_of_the_address_counts_for_nothing(
        self, gateway: InnerGateway, stock: StockClient
    ):
        await stock.discover()
        body = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
        transport = httpx.ASGITransport(gateway.app, client=("192.0.2.7", 50000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            answers = [
                await http.post("/oauth2/register", json=body, headers={"x-forwarded-for": f"198.51.100.{number}"})
                for number in range(4)
            ]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]


class TestFull:
    @pytest.fixture
    def environment(self, environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        environment.setenv("REGISTERED_CLIENTS_MOST", "2")
        return environment

    async def test_the_oldest_that_nobody_allows_anything_makes_room(
        self, gateway: InnerGateway, stock: StockClient, browser
    ):
        gateway.clock.stop()
        await stock.gets_in(browser)  # the oldest, and in use
        used = dict(stock.client)
        unused = (await stock.register("none")).json()
        assert (await stock.register("none")).status_code == 503, "nobody is pushed out while they sign in"
        gateway.clock.advance(hours=1, seconds=1)
        assert (await stock.register("none")).status_code == 201
        records = (await server_of(gateway)).client_records
        assert await records.get(used["client_id"]) is not None
        assert await records.get(unused["client_id"]) is None
        assert await records.count("registered") == 2


async def test_what_is_kept_holds_no_secret(gateway: InnerGateway, stock: StockClient):
    await stock.discover()
    await stock.register("client_secret_basic")
    stored = await (await server_of(gateway)).client_records.get(stock.client["client_id"])
    for secret in (stock.client["client_secret"], stock.client["registration_access_token"]):
        assert secret not in repr(stored)
        assert secret not in str(await (await server_of(gateway)).client_records._documents.get(stored.client.id))  # type: ignore[union-attr]
    assert stored is not None
    assert stored.expires_at == stored.created_at + timedelta(days=30)
