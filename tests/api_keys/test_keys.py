"""A key from the page where a person enters it to the server that wants it, and to nobody else."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.aggregator.conftest import connected
from tests.aggregator.test_both_eras import text_of
from tests.api_keys.conftest import HEADER, KEY, OTHER
from tests.api_keys.keyed_server import KeyedServer, Message, start_keyed
from tests.proxy.conftest import ScriptedServer, read, reply
from tests.support.gateway_process import ADMIN, ALICE, BOB, DeployedGateway

CAROL, DORA = "carol@example.com", "dora@example.com"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}}
JSON = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}


async def put_key(
    proxy: DeployedGateway, gateway: str, key: object, email: str = ALICE, user: str | None = None
) -> httpx.Response:
    async with proxy.api(email) as client:
        params = {} if user is None else {"user": user}
        return await client.put(f"/gateways/{gateway}/key", json={"key": key}, params=params)


async def call(proxy: DeployedGateway, gateway: str, email: str = ALICE, **headers: str) -> httpx.Response:
    async with proxy.api(email) as client:
        return await client.post(f"/gateways/{gateway}/mcp", json=CALL, headers=JSON | headers)


def result(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


def told(answer: httpx.Response) -> str:
    assert result(answer)["isError"] is True, answer.text
    return str(result(answer)["content"][0]["text"])


async def test_a_person_is_led_to_the_page_and_their_key_serves_once_it_works(
    proxy: DeployedGateway, keyed: KeyedServer, gateway: str
):
    said = told(await call(proxy, gateway))
    assert "Keyed" in said
    assert "needs a key first" in said
    assert not keyed.arrived
    link = f"{proxy.url}{said.partition(proxy.url)[2].split()[0]}"
    async with proxy.browser(ALICE) as browser:
        page = await browser.open(link)
        assert page.url == f"{proxy.url}/gateways/{gateway}/key"
        assert "MCP server</dt><dd><code>" + keyed.url in page.text
        page = await browser.submit(page.form(action="/key"), key="sk-mistyped")
        assert page.status == 400
        assert "The server does not take this key" in page.text
        assert "did not take it: it answered HTTP 401" in page.text
        assert "sk-mistyped" not in page.text
        assert "needs a key first" in told(await call(proxy, gateway))
        page = await browser.submit(page.form(action="/key"), key=f" {KEY}\r\n")
        assert page.status == 200
        assert "took the key, and offers 2 tools with it" in page.text
        assert KEY not in page.text
        keyed.arrived.clear()
        theirs = {HEADER: "of the caller's own", "X_API_KEY": "of the caller's own"}
        assert result(await call(proxy, gateway, **theirs))["content"][0]["text"] == "3"
        assert keyed.shown(HEADER) == {KEY}
        assert not keyed.shown("authorization")
        assert not keyed.shown("x_api_key")
        page = await browser.open(f"{proxy.url}/gateways/{gateway}/key")
        assert "Kept now</dt><dd>a key, entered" in page.text
        assert KEY not in page.text
        page = await browser.submit(page.form(action="disconnect"))
        assert page.url == f"{proxy.url}/admin/gateways"
        assert "needs a key first" in told(await call(proxy, gateway))
    assert KEY not in proxy.log
    assert "sk-mistyped" not in proxy.log


async def test_the_page_removes_the_key_that_it_shows_whichever_is_the_default(
    proxy: DeployedGateway, keyed: KeyedServer, gateway: str
):
    async with proxy.api(DORA) as client:
        for label, key in (("", KEY), ("?account=work", OTHER)):
            assert (await client.put(f"/gateways/{gateway}/key{label}", json={"key": key})).status_code == 200
        assert (await client.put(f"/oauth/tokens/{gateway}/default?account=work")).status_code == 200
        async with proxy.browser(DORA) as browser:
            page = await browser.open(f"{proxy.url}/gateways/{gateway}/key")
            await browser.submit(page.form(action="disconnect"))
        left = (await client.get("/oauth/tokens", params={"gateway_id": gateway})).json()["connections"]
    assert [each["account"] for each in left] == ["work"]


async def test_each_person_has_their_own_key_and_a_key_that_is_refused_later_leads_to_the_page(
    proxy: DeployedGateway, keyed: KeyedServer, gateway: str
):
    assert (await put_key(proxy, gateway, KEY)).json() == {
        "success": True,
        "message": f"{keyed.url.split('/')[2]} took the key, and offers 2 tools with it.",
        "tools": 2,
    }
    assert (await put_key(proxy, gateway, OTHER, ADMIN, user=BOB)).status_code == 200
    for email, key in ((ALICE, KEY), (BOB, OTHER)):
        keyed.arrived.clear()
        result(await call(proxy, gateway, email))
        assert keyed.shown(HEADER) == {key}
    keyed.fields.discard((HEADER.lower(), KEY))
    said = told(await call(proxy, gateway))
    assert "no longer takes the key that was entered" in said
    assert f"{proxy.url}/oauth/authorize/{gateway}/for/" in said
    async with proxy.api(ALICE) as client:
        fetched = await client.post(f"/oauth/fetch-tools/{gateway}")
    assert (fetched.status_code, fetched.json()["cause"]) == (401, "authorization-required")
    assert fetched.json()["authorize_url"] == f"{proxy.url}/oauth/authorize/{gateway}"
    keyed.fields.add((HEADER.lower(), "another"))
    assert (await put_key(proxy, gateway, "another")).status_code == 200
    assert result(await call(proxy, gateway))["content"][0]["text"] == "3"


async def test_it_is_a_connection_like_others(proxy: DeployedGateway, gateway: str):
    async with proxy.api(CAROL) as client:
        before = (await client.get(f"/oauth/status/{gateway}")).json()
        assert before["message"] == "Enter a key for this gateway to use it"
        await put_key(proxy, gateway, KEY, CAROL)
        after = (await client.get(f"/oauth/status/{gateway}")).json()
        assert (after["oauth_enabled"], after["user_token_status"]["status"]) == (False, "valid")
        (connection,) = (await client.get("/oauth/tokens", params={"gateway_id": gateway})).json()["connections"]
        assert (connection["status"], connection["issuer"], connection["scopes"]) == ("valid", None, [])
        assert (await client.post(f"/oauth/fetch-tools/{gateway}")).json()["created"] == 2
    async with proxy.api(ADMIN) as client:  # as when somebody leaves
        ended = (await client.delete("/oauth/tokens", params={"user": CAROL})).json()
    said = {each["gateway_id"]: each["authorization_server"] for each in ended["connections"]}
    assert said[gateway] == "The key is gone here. At the server it holds until it is taken back there."


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sk\r\nX-Admin: yes", "printable ASCII"),
        ("sk\x00", "printable ASCII"),
        ("schlüssel", "printable ASCII"),
        ("sk\u2028", "printable ASCII"),
        (" sk", "neither begins nor ends with a blank"),
        ("", "no key was entered"),
        ("k" * 4097, "at most 4096"),
        (7, "key: Input should be a valid string"),
        (None, "key: Input should be a valid string"),
        (["sk-in-a-list"], "key: Input should be a valid string"),
    ],
)
async def test_what_cannot_be_a_key_reaches_no_server_and_is_not_repeated(
    proxy: DeployedGateway, keyed: KeyedServer, gateway: str, key: object, said: str
):
    answer = await put_key(proxy, gateway, key)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert not keyed.arrived
    shown = str(key)
    assert len(shown) < 3 or shown.strip() not in answer.text


async def test_who_may_enter_what(proxy: DeployedGateway, keyed: KeyedServer, gateway: str):
    refused = await put_key(proxy, gateway, KEY, ALICE, user=BOB)
    assert (refused.status_code, refused.json()["cause"]) == (403, "forbidden")
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False) as nobody:
        assert (await nobody.put(f"/gateways/{gateway}/key", json={"key": KEY})).status_code == 401
    async with proxy.browser(ALICE) as browser:
        page = await browser.open(f"{proxy.url}/gateways/{gateway}/key")
        form = page.form(action="/key")
        form.fields["csrf_token"] = "of somebody else"
        assert (await browser.submit(form, key=KEY)).status == 403
    closed = await proxy.add(keyed.url, auth_type="api_key", allowed_users=[BOB])
    plain = await proxy.add(keyed.url, auth_type="none")
    assert (await put_key(proxy, closed, KEY)).status_code == 404
    assert "wants no API key" in (await put_key(proxy, plain, KEY)).json()["detail"]
    assert not keyed.arrived


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({"api_key": {"prefix": "Key "}}, True),
        ({"api_key": {"header": "X-Other-Key"}}, True),
        ({"auth_type": "none"}, True),
        ({"name": "Another name", "allowed_users": [ALICE]}, False),
        ({"api_key": {"header": HEADER}}, False),
    ],
)
async def test_a_change_of_where_a_key_goes_drops_it(
    proxy: DeployedGateway, gateway: str, change: dict[str, Any], dropped: bool
):
    await put_key(proxy, gateway, KEY)
    async with proxy.api(ADMIN) as admin:
        assert (await admin.put(f"/gateways/{gateway}", json=change)).status_code == 200
        left = (await admin.get("/oauth/tokens", params={"gateway_id": gateway})).json()["total"]
    assert left == (0 if dropped else 1)


async def test_a_key_never_reaches_the_server_that_a_gateway_was_moved_to(
    proxy: DeployedGateway, keyed: KeyedServer, gateway: str
):
    """Neither one that is kept, nor one that is being tried while the gateway moves."""
    with start_keyed(("authorization", "Bearer nothing")) as elsewhere:

        async def move() -> None:
            keyed.before = None
            async with proxy.api(ADMIN) as admin:
                moved = {"url": elsewhere.url}
                assert (await admin.put(f"/gateways/{gateway}", json=moved)).status_code == 200

        keyed.before = move
        late = await put_key(proxy, gateway, KEY)
        assert (late.status_code, late.json()["cause"]) == (409, "conflict")
        assert "needs a key first" in told(await call(proxy, gateway))
        assert not elsewhere.arrived


async def test_no_redirect_takes_a_key_along(proxy: DeployedGateway, keyed: KeyedServer, gateway: str):
    await put_key(proxy, gateway, KEY)
    with start_keyed(("authorization", "Bearer nothing")) as thief:
        keyed.instead = (307, ((b"location", thief.url.encode()),))
        tried = await put_key(proxy, gateway, OTHER)
        assert tried.status_code == 502, tried.text
        answer = await call(proxy, gateway)
        assert answer.status_code == 502, answer.text
        assert not thief.arrived


@pytest.mark.parametrize("status", [401, 403])
async def test_what_a_trial_meets_is_said_in_plain_words(proxy: DeployedGateway, status: int):
    with start_keyed(("authorization", f"Bearer {KEY}"), refusal=status) as server:
        gateway = await proxy.add(server.url, auth_type="api_key")
        refused = await put_key(proxy, gateway, OTHER)
        assert (refused.status_code, refused.json()["cause"]) == (400, "key-refused")
        assert f"it answered HTTP {status}" in refused.json()["detail"]
        assert OTHER not in refused.text
        assert (await put_key(proxy, gateway, KEY)).json()["tools"] == 2
        assert server.shown("authorization") == {f"Bearer {OTHER}", f"Bearer {KEY}"}
    away = await put_key(proxy, gateway, KEY)
    assert away.status_code == 502
    assert "unreachable" in away.json()["cause"]
    assert KEY not in json.dumps(away.json())


async def test_after_the_page_the_person_goes_on_to_where_they_were(proxy: DeployedGateway, gateway: str):
    async with proxy.browser(ALICE) as browser:
        page = await browser.open(f"{proxy.url}/oauth/authorize/{gateway}?next=%2Fadmin%2Fgateways%3Fx%3D1")
        assert page.url == f"{proxy.url}/gateways/{gateway}/key?next=%2Fadmin%2Fgateways%3Fx%3D1"
        assert 'href="/admin/gateways?x=1">Go on without it' in page.text
        page = await browser.submit(page.form(action="/key"), key=KEY)
        assert 'href="/admin/gateways?x=1">Go on<' in page.text
        page = await browser.open(f"{proxy.url}/gateways/{gateway}/key?next=https%3A%2F%2Fevil.example%2F")
        assert "evil.example" not in page.text


async def test_a_key_for_all_is_an_administrators_to_enter(proxy: DeployedGateway, keyed: KeyedServer):
    place = {"header": HEADER}
    gateway = await proxy.add(keyed.url, name="Ours", auth_type="api_key", api_key=place, connection="shared")
    answer = await call(proxy, gateway)
    assert "/oauth/authorize/" not in answer.text
    assert (await put_key(proxy, gateway, KEY)).status_code == 403
    assert (await put_key(proxy, gateway, KEY, ADMIN, user=BOB)).status_code == 400
    async with proxy.browser(BOB) as browser:
        page = await browser.open(f"{proxy.url}/gateways/{gateway}/key")
        assert page.status == 403
        assert not any("/key" in form.action for form in page.forms)
    assert not keyed.arrived
    async with proxy.browser(ADMIN) as browser:
        page = await browser.open(f"{proxy.url}/gateways/{gateway}/key")
        assert "This key is for everybody whom the gateway allows" in page.text
        page = await browser.submit(page.form(action="/key"), key=KEY)
        assert "Everybody whom <strong>Ours</strong> allows is now connected" in page.text
    for email in (ALICE, BOB):
        keyed.arrived.clear()
        assert result(await call(proxy, gateway, email))["content"][0]["text"] == "3"
        assert keyed.shown(HEADER) == {KEY}
    keyed.fields.clear()
    refused = await call(proxy, gateway)
    assert "/oauth/authorize/" not in refused.text
    assert KEY not in refused.text


@pytest.mark.needs("latchpin_aggregator")
async def test_behind_the_one_endpoint_too(proxy: DeployedGateway, keyed: KeyedServer):
    place = {"header": HEADER}
    gateway = await proxy.add(keyed.url, name="Behind", auth_type="api_key", api_key=place, allowed_users=[DORA])
    async with connected(proxy, "legacy", email=DORA) as client:
        told = text_of(await client.call_tool("latchpin_connect"))
        link = told.partition("Behind (behind) waits for an API key. Open in a browser: ")[2].split()[0]
        async with proxy.browser(DORA) as browser:
            page = await browser.open(link)
            page = await browser.submit(page.form(action=f"/gateways/{gateway}/key"), key=KEY)
            assert page.title == "The key works"
        assert {"behind__add", "behind__say"} <= {tool.name for tool in (await client.list_tools()).tools}
        assert text_of(await client.call_tool("behind__add", {"a": 1, "b": 2})) == "3"
    assert keyed.shown(HEADER) == {KEY}


@pytest.mark.parametrize("cut", [0, 150], ids=["whole", "cut off"])
async def test_a_server_that_repeats_the_key_is_not_quoted(proxy: DeployedGateway, scripted: ScriptedServer, cut: int):
    async def repeat(scope: Message, receive: Any, send: Any) -> None:
        asked = json.loads(await read(receive) or b"{}")
        shown = dict(scope["headers"])[b"authorization"].decode()
        error = {"code": -32000, "message": f"{'x' * cut} no such key: {shown}"}
        body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "error": error}).encode()
        await reply(send, 200, [("content-type", "application/json")], body)

    scripted.script = repeat
    gateway = await proxy.add(scripted.url, auth_type="api_key")
    key = "sk-Repeated-" + "0123456789" * 5
    answer = await put_key(proxy, gateway, key)
    assert (answer.status_code, "repeats what it was shown" in answer.json()["detail"]) == (502, True), answer.text
    assert key[:12] not in answer.text + proxy.log
