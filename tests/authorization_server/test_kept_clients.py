"""Administrators enter clients, look at them and delete them; services get tokens by themselves until then."""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from latchpin.model import Caller
from latchpin.sdk.identity import end_everything_of
from latchpin_authorization_server.clients.entered import KeptClients
from latchpin_authorization_server.clients.entry import ClientEntry
from latchpin_authorization_server.identity import name_service
from latchpin_authorization_server.server import open_server
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import INITIALIZE, REDIRECT_URI, StockClient, answer_of
from tests.authorization_server.test_facts import listen
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

CLIENTS = f"{BASE}/oauth2/clients"
ROBOT = "robot@example.com"
SERVICE = {"name": "Nightly", "acts_as": ROBOT}
EDITOR = {"name": "Editor", "redirect_uris": [REDIRECT_URI]}


async def bearer(gateway: InnerGateway, email: str, *, admin: bool = False) -> dict[str, str]:
    token = await gateway.application.signed_tokens.create_bearer(email, admin, timedelta(days=400))
    return {"authorization": f"Bearer {token}", "accept": "application/json"}


async def admin(gateway: InnerGateway, method: str, path: str = "", **options: Any) -> httpx.Response:
    """Ask the API as an administrator."""
    async with gateway.client(None, **await bearer(gateway, ADMIN, admin=True)) as http:
        return await http.request(method, CLIENTS + path, **options)


async def enter(gateway: InnerGateway, body: dict[str, Any]) -> dict[str, Any]:
    answer = await admin(gateway, "POST", json=body)
    assert answer.status_code == 201, answer.text
    entered: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{CLIENTS}/{entered['client_id']}"
    assert answer.headers["cache-control"] == "no-store"
    return entered


def basic(client: dict[str, Any], secret: str | None = None) -> dict[str, str]:
    pair = f"{client['client_id']}:{client['client_secret'] if secret is None else secret}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def ask_token(
    gateway: InnerGateway, client: dict[str, Any], resource: str | None, secret: str | None = None
) -> httpx.Response:
    form = {"grant_type": "client_credentials"} | ({} if resource is None else {"resource": resource})
    async with gateway.client(None) as http:
        return await http.post(f"{BASE}/oauth2/token", data=form, headers=basic(client, secret))


# -- the API --------------------------------------------------------------------------------------------------


async def test_a_client_is_entered_read_listed_and_deleted(gateway: InnerGateway):
    entered = await enter(gateway, EDITOR)
    read = (await admin(gateway, "GET", f"/{entered['client_id']}")).json()
    assert read == {name: value for name, value in entered.items() if name != "client_secret"}
    assert (read["created_by"], read["expires_at"], read["source"]) == (ADMIN, None, "entered")
    other = await enter(gateway, EDITOR | {"token_endpoint_auth_method": "none"})
    assert other["client_secret"] is None
    listed = (await admin(gateway, "GET", "?limit=1")).json()
    assert [each["client_id"] for each in listed["clients"]] == [other["client_id"]]
    assert listed["total"] == 2
    rest = (await admin(gateway, "GET", f"?limit=1&after={listed['next_after']}")).json()
    assert [each["client_id"] for each in rest["clients"]] == [entered["client_id"]]
    assert (await admin(gateway, "DELETE", f"/{entered['client_id']}")).status_code == 200
    assert (await admin(gateway, "GET", f"/{entered['client_id']}")).status_code == 404
    assert (await admin(gateway, "DELETE", f"/{entered['client_id']}")).status_code == 404


async def test_those_that_registered_themselves_are_listed_and_deleted_too(
    gateway: InnerGateway, stock: StockClient, browser
):
    tokens = await stock.gets_in(browser)
    listed = (await admin(gateway, "GET", "?source=registered")).json()
    assert [each["client_id"] for each in listed["clients"]] == [stock.client["client_id"]]
    assert stock.client["registration_access_token"] not in str(listed)
    listening = listen(gateway)
    assert (await admin(gateway, "DELETE", f"/{stock.client['client_id']}")).status_code == 200
    assert (await stock.call(tokens["access_token"])).status_code == 401
    (told,) = listening.of("mcp-client.deleted")
    assert (told.actor, told.details["grants"]) == (ADMIN, 1)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ([], "the body"),
        ({}, "name"),
        ({"name": ""}, "name"),
        (EDITOR | {"name": "\u200b"}, "name"),
        (EDITOR | {"name": "x" * 81}, "name"),
        (EDITOR | {"secret": "mine"}, "secret"),
        (EDITOR | {"client_secret": "mine"}, "client_secret"),
        ({"name": "Editor"}, "redirect_uris"),
        ({"name": "Editor", "redirect_uris": ["http://app.example/cb"]}, "redirect_uris"),
        ({"name": "Editor", "redirect_uris": REDIRECT_URI}, "redirect_uris"),
        (EDITOR | {"grant_types": ["password"]}, "grant_types"),
        (EDITOR | {"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_method"),
        (SERVICE | {"acts_as": "robot"}, ""),
        (SERVICE | {"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
        (SERVICE | {"grant_types": ["client_credentials", "authorization_code"]}, "grant_types"),
        (EDITOR | {"grant_types": ["client_credentials"]}, "acts_as"),
        (EDITOR | {"grant_types": ["authorization_code"], "acts_as": ROBOT}, "acts_as"),
    ],
)
async def test_what_does_not_hold_is_not_entered(gateway: InnerGateway, body: Any, member: str):
    answer = await admin(gateway, "POST", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].removeprefix("The request is not valid: ").startswith(member)
    assert (await admin(gateway, "GET")).json()["total"] == 0


async def test_nobody_else_may_enter_or_read_any(gateway: InnerGateway):
    entered = await enter(gateway, EDITOR)
    for headers, status in (({}, 401), (await bearer(gateway, ALICE), 403)):
        async with gateway.client(None, **({"accept": "application/json"} | headers)) as http:
            for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("DELETE", f"/{entered['client_id']}")):
                assert (await http.request(method, CLIENTS + path, json=EDITOR)).status_code == status
    assert (await admin(gateway, "GET")).json()["total"] == 1


# -- people sign in with an entered client ----------------------------------------------------------------------


async def test_people_sign_in_with_an_entered_client(gateway: InnerGateway, stock: StockClient, browser):
    await stock.discover()
    stock.client = await enter(gateway, EDITOR)
    page = await browser.open(stock.authorization_url())
    assert "An administrator entered it." in page.text
    tokens = (await stock.redeem(answer_of(await stock.visit(browser))["code"])).raise_for_status().json()
    assert (await stock.call(tokens["access_token"])).status_code == 200


async def test_a_secret_in_a_wrong_way_proves_nothing(gateway: InnerGateway, stock: StockClient, browser):
    await stock.discover()
    client = stock.client = await enter(gateway, EDITOR)
    url, form = f"{BASE}/oauth2/token", {"grant_type": "refresh_token", "refresh_token": "a.b.c"}
    secret, client_id = client["client_secret"], client["client_id"]
    wrong: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {"client_id": client_id}),
        ({}, {"client_id": client_id, "client_secret": secret[:-1]}),
        ({}, {"client_secret": secret}),
        (basic(client, ""), {}),
        (basic(client, secret + " "), {}),
        (basic(client), {"client_secret": secret}),
        (basic(client), {"client_id": "another"}),
        ({"authorization": f"Bearer {secret}"}, {"client_id": client_id}),
        ({"authorization": "Basic ????"}, {"client_id": client_id, "client_secret": secret}),
        (basic(client), {"client_assertion": "x"}),
    ]
    for headers, fields in wrong:
        answer = await stock.http.post(url, data=form | fields, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), (headers, fields)
    inside = await stock.http.post(f"{url}?client_id={client_id}&client_secret={secret}", data=form)
    assert inside.json()["error"] == "invalid_client"
    right = await stock.http.post(url, data=form, headers=basic(client))
    assert right.json()["error"] == "invalid_grant"


# -- services ---------------------------------------------------------------------------------------------------


async def test_a_service_calls_as_the_address_that_was_entered(gateway: InnerGateway, stock: StockClient):
    service = await enter(gateway, SERVICE)
    listening = listen(gateway)
    answer = await ask_token(gateway, service, stock.mcp_url)
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    called = await stock.call(answer.json()["access_token"])
    assert called.status_code != 401 or "authorize" in called.text, "the robot is known, and has to be connected"
    assert (await stock.call(answer.json()["access_token"][:-2])).status_code == 401
    assert listening.heard == [] or all(fact.subject != ALICE for fact in listening.heard)


@pytest.fixture
async def public(gateway: InnerGateway, provider) -> str:
    """The URL of an endpoint whose server wants no authorization."""
    gateway_id = await gateway.add(provider.provider.mcp_url, name="Open", auth_type="none")
    return f"{BASE}/gateways/{gateway_id}/mcp"


async def call(gateway: InnerGateway, url: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    async with gateway.client(None) as http:
        return (await http.post(url, json=INITIALIZE, headers=headers)).status_code


async def challenged(gateway: InnerGateway, url: str, token: str) -> bool:
    """Whether the token is refused at our endpoint, whatever the server behind it says."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    async with gateway.client(None) as http:
        answer = await http.post(url, json=INITIALIZE, headers=headers)
    return answer.status_code == 401 and "the access token" in answer.text


async def test_a_deleted_services_tokens_end_at_once(gateway: InnerGateway, public: str):
    service = await enter(gateway, SERVICE)
    token = (await ask_token(gateway, service, public)).json()["access_token"]
    assert not await challenged(gateway, public, token)
    await admin(gateway, "DELETE", f"/{service['client_id']}")
    assert await challenged(gateway, public, token)
    assert (await ask_token(gateway, service, public)).json()["error"] == "invalid_client"


async def test_a_service_that_another_worker_deleted_ends_within_a_second(gateway: InnerGateway, public: str):
    gateway.clock.stop()
    service = await enter(gateway, SERVICE)
    token = (await ask_token(gateway, service, public)).json()["access_token"]
    assert not await challenged(gateway, public, token)
    server = await open_server(gateway.application.services.context)
    await server.client_records.delete(service["client_id"])  # this worker is not told
    gateway.clock.advance(seconds=1)
    assert await challenged(gateway, public, token)


async def test_a_service_ends_with_the_sessions_of_whom_it_acts_as(gateway: InnerGateway, public: str):
    service = await enter(gateway, SERVICE)
    token = (await ask_token(gateway, service, public)).json()["access_token"]
    assert not await challenged(gateway, public, token)
    gateway.clock.advance(seconds=2)
    services = gateway.application.services
    await end_everything_of(services.kept, ROBOT, services.clock())
    gateway.clock.advance(seconds=1)
    assert await challenged(gateway, public, token)
    assert (await ask_token(gateway, service, public)).json()["error"] == "unauthorized_client"


async def test_a_service_that_is_entered_again_under_its_id_is_served(gateway: InnerGateway):
    """Files choose the ``client_id``: what it has under way must not go on ending because it was deleted before."""
    server, departures = await open_server(gateway.application.services.context), gateway.application.departures
    clients, ended = KeptClients(server), list[str]()
    root, entry = Caller(ADMIN, is_admin=True, via="local"), ClientEntry.model_validate(SERVICE)

    async def call_lasts(name: str) -> list[str]:
        watched = departures.watch(ROBOT, partial(ended.append, name), stands_on=name_service("nightly"))
        await departures.look()
        departures.leave(watched)
        return ended

    earlier = await clients.put("nightly", entry, "", root, replacing=None)
    await clients.delete("nightly", root)
    assert await call_lasts("deleted") == ["deleted"]
    await clients.put("nightly", entry, "", root, replacing=None)
    assert await call_lasts("entered again") == ["deleted"]
    await clients.delete("nightly", root)
    assert await call_lasts("deleted again") == ["deleted", "deleted again"]
    await clients.bring_back(earlier, root, replacing=None)
    assert await call_lasts("brought back") == ["deleted", "deleted again"]


async def test_a_services_token_is_for_one_endpoint(gateway: InnerGateway, public: str, stock: StockClient):
    service = await enter(gateway, SERVICE)
    token = (await ask_token(gateway, service, public)).json()["access_token"]
    assert await challenged(gateway, stock.mcp_url, token)
    for resource in (None, "https://elsewhere.example/mcp", f"{public}/", BASE):
        assert (await ask_token(gateway, service, resource)).json()["error"] == "invalid_target"


async def test_only_a_service_gets_tokens_by_itself(gateway: InnerGateway, public: str):
    editor = await enter(gateway, EDITOR)
    assert (await ask_token(gateway, editor, public)).json()["error"] == "unauthorized_client"
    service = await enter(gateway, SERVICE)
    assert (await ask_token(gateway, service, public, "wrong")).json()["error"] == "invalid_client"


async def test_a_client_that_registers_itself_cannot_become_a_service(stock: StockClient):
    await stock.discover()
    wishes = {"grant_types": ["client_credentials"], "acts_as": ADMIN}
    assert (await stock.register("client_secret_basic", **wishes)).status_code == 400
    await stock.register("client_secret_basic", grant_types=["client_credentials", "refresh_token"], acts_as=ADMIN)
    answer = await stock.token(grant_type="client_credentials", resource=stock.mcp_url)
    assert answer.json()["error"] == "unauthorized_client"


# -- the pages --------------------------------------------------------------------------------------------------


async def test_an_administrator_enters_a_service_in_the_pages_and_deletes_it(gateway: InnerGateway, public: str):
    async with Browser(gateway.client(ADMIN)) as browser:
        page = await browser.open(f"{BASE}/applications/clients")
        assert "No MCP client is entered." in page.text
        page = await browser.open(f"{BASE}/applications/clients/new")
        form = page.form(action="/applications/clients/new")
        form.fields |= {"name": "Nightly <b>", "kind": "service", "acts_as": ROBOT, "redirect_uris": ""}
        page = await browser.submit(form)
        assert "Copy the secret now" in page.text
        assert "Nightly &lt;b&gt;" in page.text
        (client,) = (await admin(gateway, "GET")).json()["clients"]
        page = await browser.open(f"{BASE}/applications/clients")
        assert f"{ROBOT}, by itself" in page.text
        page = await browser.open(f"{BASE}/applications/clients/{client['client_id']}/delete")
        page = await browser.submit(page.form(action=f"/applications/clients/{client['client_id']}/delete"))
        assert page.title.startswith("Deleted Nightly")
    assert (await admin(gateway, "GET")).json()["total"] == 0


async def test_what_does_not_hold_is_said_above_the_form_with_what_was_entered(gateway: InnerGateway):
    async with Browser(gateway.client(ADMIN)) as browser:
        page = await browser.open(f"{BASE}/applications/clients/new")
        form = page.form(action="/applications/clients/new")
        form.fields |= {"name": "Editor", "kind": "public", "redirect_uris": "ftp://app.example", "acts_as": ""}
        page = await browser.submit(form)
    assert page.status == 400
    assert "redirect_uris: " in page.text
    assert "ftp://app.example" in page.text
