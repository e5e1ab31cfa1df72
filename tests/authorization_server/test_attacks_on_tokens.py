"""Codes and tokens in other hands, at other places, or used again: they are worth nothing."""

from __future__ import annotations

import base64
import hmac
import json
import time

import jwt
import pytest
from latchpin.sdk.identity import end_everything_of
from latchpin_authorization_server.server import open_server
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import StockClient, answer_of
from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, MovedClock


async def code_of(stock: StockClient, browser: Browser) -> str:
    await stock.introduce()
    return answer_of(await stock.visit(browser))["code"]


async def test_a_code_that_comes_twice_ends_what_it_was_for(stock: StockClient, browser: Browser):
    code = await code_of(stock, browser)
    tokens = (await stock.redeem(code)).json()
    again = await stock.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await stock.call(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "another" * 8},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:9/other"},
        {"resource": f"{BASE}/gateways/{'0' * 32}/mcp"},
    ],
)
async def test_a_code_is_good_for_what_was_asked(stock: StockClient, browser: Browser, changes: dict[str, str]):
    code = await code_of(stock, browser)
    refused = await stock.redeem(code, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await stock.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_good_for_its_client(stock: StockClient, browser: Browser):
    code = await code_of(stock, browser)
    await stock.register("none")
    assert (await stock.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_good_for_two_minutes(stock: StockClient, browser: Browser, gateway: InnerGateway):
    code = await code_of(stock, browser)
    gateway.clock.advance(minutes=2)
    assert (await stock.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_refresh_token_that_comes_again_at_once_gets_the_same_answer(stock: StockClient, browser: Browser):
    tokens = await stock.gets_in(browser)
    first, second = [(await stock.refresh(tokens["refresh_token"])).json() for _ in range(2)]
    assert first["refresh_token"] == second["refresh_token"]
    assert (await stock.refresh(first["refresh_token"])).status_code == 200


async def test_a_refresh_token_that_comes_again_later_ends_everything(
    stock: StockClient, browser: Browser, gateway: InnerGateway
):
    tokens = await stock.gets_in(browser)
    renewed = (await stock.refresh(tokens["refresh_token"])).json()
    gateway.clock.advance(seconds=11)
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await stock.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await stock.call(renewed["access_token"])).status_code == 401


async def test_one_before_the_last_ends_everything_too(stock: StockClient, browser: Browser):
    tokens = await stock.gets_in(browser)
    second = (await stock.refresh(tokens["refresh_token"])).json()
    third = (await stock.refresh(second["refresh_token"])).json()
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await stock.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_who_knows_a_grants_name_ends_nothing(stock: StockClient, browser: Browser):
    """The name is in each access token, which MCP servers never see, and others might."""
    tokens = await stock.gets_in(browser)
    grant_id = jwt.decode(tokens["access_token"], options={"verify_signature": False})["grant_id"]
    assert (await stock.refresh(f"{grant_id}.made.up")).json()["error"] == "invalid_grant"
    assert (await stock.redeem(f"{grant_id}.made.up")).json()["error"] == "invalid_grant"
    assert (await stock.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200


async def test_a_refresh_token_is_good_for_its_client(stock: StockClient, browser: Browser):
    tokens = await stock.gets_in(browser)
    await stock.register("none")
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_token_is_good_at_its_own_endpoint(
    stock: StockClient, browser: Browser, gateway: InnerGateway, provider: FaultSwitch
):
    tokens = await stock.gets_in(browser)
    other = await gateway.add(provider.provider.mcp_url, name="Other")
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    for path in (f"/gateways/{other}/mcp", "/gateways", "/oauth/registered-clients", f"/oauth/status/{other}"):
        answer = await stock.http.request("POST" if path.endswith("/mcp") else "GET", BASE + path, headers=headers)
        assert answer.status_code == 401, path


async def test_an_access_token_ends_by_itself(stock: StockClient, browser: Browser, gateway: InnerGateway):
    tokens = await stock.gets_in(browser)
    gateway.clock.advance(seconds=tokens["expires_in"])
    assert (await stock.call(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
async def test_revocation_ends_the_grant_at_once(stock: StockClient, browser: Browser, which: str):
    tokens = await stock.gets_in(browser)
    form = {"client_id": stock.client["client_id"], "token": tokens[which]}
    assert (await stock.http.post(f"{BASE}/oauth2/revoke", data=form)).status_code == 200
    assert (await stock.call(tokens["access_token"])).status_code == 401
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_another_client_revokes_nothing(stock: StockClient, browser: Browser):
    tokens = await stock.gets_in(browser)
    first = stock.client
    await stock.register("none")
    form = {"client_id": stock.client["client_id"], "token": tokens["refresh_token"]}
    assert (await stock.http.post(f"{BASE}/oauth2/revoke", data=form)).status_code == 200
    stock.client = first
    assert (await stock.refresh(tokens["refresh_token"])).status_code == 200


def header_of(tokens: dict[str, str]) -> dict[str, str]:
    return jwt.get_unverified_header(tokens["access_token"])


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


async def test_made_up_tokens_do_not_hold(stock: StockClient, browser: Browser, gateway: InnerGateway):
    tokens = await stock.gets_in(browser)
    server = await open_server(gateway.application.services.context)
    public = json.dumps((await server.keys.all())[0].public_jwk).encode()
    as_secret = f"{part({**header_of(tokens), 'alg': 'HS256'})}.{tokens['access_token'].split('.')[1]}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, as_secret.encode(), "sha256")).rstrip(b"=").decode()
    head, body, signature = tokens["access_token"].split(".")
    header = header_of(tokens)
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    made_up = {
        "no signature": f"{part({**header, 'alg': 'none'})}.{body}.",
        "the public key as a secret": f"{as_secret}.{mac}",
        "another key": f"{part({**header, 'kid': 'another'})}.{body}.{signature}",
        "another person": f"{head}.{part({**claims, 'sub': 'bob@example.com'})}.{signature}",
        "longer": f"{head}.{part({**claims, 'exp': int(time.time()) + 10**6})}.{signature}",
        "no type": f"{part({name: header[name] for name in ('alg', 'kid')})}.{body}.{signature}",
        "another type": f"{part({**header, 'typ': 'JWT'})}.{body}.{signature}",
        "cut": tokens["access_token"][:-4],
    }
    for what, token in made_up.items():
        assert (await stock.call(token)).status_code == 401, what
    assert (await stock.call(tokens["access_token"])).status_code == 200


async def test_a_bad_token_beside_a_good_identity_is_refused(stock: StockClient, browser: Browser, gateway):
    """What is present and does not hold never counts as absent."""
    tokens = await stock.gets_in(browser)
    async with gateway.client(ALICE) as client:
        client.cookies = browser.cookies
        for path in ("/gateways", "/", stock.mcp_url.removeprefix(BASE), stock.authorization_url().removeprefix(BASE)):
            headers = {"authorization": f"Bearer {tokens['access_token']}x"}
            answer = await client.request("POST" if path.endswith("/mcp") else "GET", BASE + path, headers=headers)
            assert (answer.status_code, answer.headers.get("location")) == (401, None), path


async def test_who_leaves_has_no_token_any_more(stock: StockClient, browser: Browser, gateway: InnerGateway):
    tokens = await stock.gets_in(browser)
    clock: MovedClock = gateway.clock
    clock.advance(seconds=1)
    await end_everything_of(gateway.application.services.kept, ALICE, clock())
    clock.advance(seconds=6)
    assert (await stock.call(tokens["access_token"])).status_code == 401
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_an_account_with_a_program_of_its_own_fills_no_store(
    stock: StockClient, browser: Browser, gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("latchpin_authorization_server.server.MOST_GRANTS", 3)
    first = await stock.gets_in(browser)
    codes = [answer_of(await browser.open(stock.authorization_url()))["code"] for _ in range(4)]
    server = await open_server(gateway.application.services.context)
    assert len([grant async for grant in server.grants.of_person(ALICE)]) == 3
    assert (await stock.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await stock.redeem(codes[-1])).status_code == 200
