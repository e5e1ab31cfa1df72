"""What a client that signs in by itself is told whose token for the MCP server is missing or dead: to sign in again."""

from __future__ import annotations

import re

import httpx
import pytest
from latchpin_demo.state import SCOPES

from tests.authorization_server.conftest import Endpoint, StockClient, answer_of
from tests.providers import FaultSwitch, sign_in
from tests.providers.faults import status
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}}


@pytest.fixture
async def token(stock: StockClient, browser) -> str:
    """The access token of a client whose person is connected."""
    return str((await stock.gets_in(browser))["access_token"])


def signs_in_again(answer: httpx.Response) -> bool:
    challenge = answer.headers.get("www-authenticate", "")
    return (
        answer.status_code == 401
        and f'resource_metadata="{BASE}/.well-known/oauth-protected-resource/gateways/' in challenge
        and 'error="invalid_token"' in challenge
        and "authorize_url" not in challenge
    )


async def disconnect(gateway: InnerGateway, files: Endpoint) -> None:
    found = await gateway.application.gateways.get_any(files.gateway_id)
    assert await gateway.application.tokens.disconnect(found, ALICE) is not None


async def signs_in(stock: StockClient, browser) -> str:
    """The whole way once more: the browser has the consent already."""
    answer = answer_of(await stock.visit(browser))
    return str((await stock.redeem(answer["code"])).raise_for_status().json()["access_token"])


async def does_without(stock: StockClient, browser) -> dict[str, str]:
    """The person denies at the server's own page, and goes on without it."""
    await browser.open(stock.authorization_url())
    page = await sign_in(browser, allow=False)
    [back] = re.findall(r"/oauth2/continue\?request=[\w-]+", page.text)
    answer = answer_of(await browser.open(f"{BASE}{back}&skip=all"))
    tokens: dict[str, str] = (await stock.redeem(answer["code"])).raise_for_status().json()
    return tokens


async def test_a_missing_token_sends_the_client_through_the_sign_in(gateway, files, stock, token, browser):
    await disconnect(gateway, files)
    assert signs_in_again(await stock.call(token))
    assert (await stock.call(await signs_in(stock, browser))).status_code == 200
    assert (await stock.call(token)).status_code == 200  # the retried request, too


async def test_a_client_that_meets_a_401_with_a_refresh_is_led_on(gateway, files, stock, browser):
    """Else it would have a good token, the same 401, and nothing that it could do by itself."""
    tokens = await stock.gets_in(browser)
    await disconnect(gateway, files)
    tokens = (await stock.refresh(tokens["refresh_token"])).raise_for_status().json()  # nobody was told anything yet
    assert signs_in_again(await stock.call(tokens["access_token"]))
    refused = await stock.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    await signs_in(stock, browser)
    assert (await stock.refresh(tokens["refresh_token"])).status_code == 200  # of another client: nothing is owed now


async def test_a_refused_token_is_authorized_anew(gateway, stock, provider: FaultSwitch, token, browser):
    provider.arm("mcp", status(401, www_authenticate='Bearer error="invalid_token"'))
    assert signs_in_again(await stock.call(token))
    provider.heal()
    provider.forget()
    assert (await stock.call(await signs_in(stock, browser))).status_code == 200
    assert len(provider.asked("authorize")) == 1


async def test_more_scopes_are_authorized(stock, provider: FaultSwitch, token, browser):
    provider.arm("mcp", status(403, www_authenticate='Bearer error="insufficient_scope", scope="files:write"'), times=1)
    assert signs_in_again(await stock.call(token, CALL))
    provider.forget()
    await stock.visit(browser)
    [asked] = provider.asked("authorize")
    assert set(asked.query["scope"].split()) >= {"files:write"}


async def test_no_client_signs_in_twice_for_a_server_that_takes_no_token(gateway, stock, provider, token, browser):
    provider.arm("mcp", status(401, www_authenticate='Bearer error="invalid_token"'))
    assert signs_in_again(await stock.call(token))
    again = await signs_in(stock, browser)
    assert not signs_in_again(await stock.call(again))
    assert not signs_in_again(await stock.call(again))
    gateway.clock.advance(seconds=61)
    assert not signs_in_again(await stock.call(again))


async def test_other_scopes_than_a_moment_ago_are_authorized_too(
    stock, provider: FaultSwitch, token, browser, monkeypatch: pytest.MonkeyPatch
):
    for scope in ("files:write", "files:share"):
        monkeypatch.setitem(SCOPES, scope, "Change things")

    def want(scope: str) -> None:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        provider.arm("mcp", status(403, www_authenticate=challenge), times=1)

    provider.arm("mcp", status(401, www_authenticate='Bearer error="invalid_token"'), times=2)
    assert signs_in_again(await stock.call(token, CALL))
    for scope in ("files:write", "files:share"):
        token = await signs_in(stock, browser)
        want(scope)
        assert signs_in_again(await stock.call(token, CALL))
    token = await signs_in(stock, browser)
    want("files:write")
    assert not signs_in_again(await stock.call(token, CALL))


async def test_who_does_without_is_not_asked_again_within_the_hour(gateway, files, stock, token, browser):
    await disconnect(gateway, files)
    assert signs_in_again(await stock.call(token))
    tokens = await does_without(stock, browser)
    for _ in range(2):
        answer = await stock.call(tokens["access_token"])
        assert not signs_in_again(answer)
        assert f"{BASE}/oauth/authorize/{files.gateway_id}" in answer.text
    gateway.clock.advance(seconds=3601)
    renewed = (await stock.refresh(tokens["refresh_token"])).raise_for_status().json()
    assert signs_in_again(await stock.call(renewed["access_token"]))
