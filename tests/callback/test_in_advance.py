"""What nobody asked for yet begins and completes nothing, and what did not come by the query says so."""

from __future__ import annotations

import asyncio
from itertools import product
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.errors import InvalidRequest

from tests.support.gateway_in_process import BASE

pytestmark = [pytest.mark.needs("latchpin_dcr", "latchpin_memory_store"), pytest.mark.usefixtures("both_ways")]

TITLE = "OAuth Authorization Successful"
MCP = "https://mcp.example.com/mcp"
HTML = "text/html,application/xhtml+xml"

IN_ADVANCE = [
    ({"Sec-Purpose": "prefetch"}, "a link that the browser thinks will be followed"),
    ({"Sec-Purpose": "prefetch;prerender"}, "a page made ready in the background"),
    ({"Sec-Purpose": "prefetch;anonymous-client-ip"}, "by way of a proxy"),
    ({"Sec-Purpose": "prerender"}, "by the name alone"),
    ({"Purpose": "prefetch"}, "Chromium and Safari, earlier"),
    ({"Purpose": "Prefetch"}, "however it is written"),
    ({"X-Moz": "prefetch"}, "Firefox"),
    ({"X-Purpose": "preview"}, "Safari's top sites"),
    ({"X-Purpose": "instant, prefetch"}, "among others"),
]


async def test_a_callback_loaded_in_advance_completes_nothing_and_then_succeeds(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client() as early:
        url = await gateway.returned(browser, gateway_id)
        early.cookies = browser.cookies
        for (headers, why), accept in product(IN_ADVANCE, (HTML, "application/json", "*/*")):
            answer = await early.get(url, headers=headers | {"Accept": accept})
            assert (answer.status_code, answer.headers["cache-control"], answer.content) == (425, "no-store", b""), why
            assert "set-cookie" not in answer.headers
        assert provider.asked("token") == []
        assert (await browser.open(url)).title == TITLE
        assert len(provider.asked("token")) == 1


async def test_an_authorize_link_loaded_in_advance_asks_and_registers_nothing(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.client() as early:
        for headers, why in IN_ADVANCE:
            answer = await early.get(f"{BASE}/oauth/authorize/{gateway_id}", headers=headers)
            assert (answer.status_code, answer.headers["cache-control"], answer.content) == (425, "no-store", b""), why
            assert "set-cookie" not in answer.headers
    assert provider.asked() == []
    async with gateway.browser() as browser:
        assert (await browser.open(await gateway.returned(browser, gateway_id))).title == TITLE


@pytest.mark.parametrize(
    ("name", "value"), [("Sec-Purpose", ""), ("X-Moz", "1"), ("Purpose", "navigation"), ("X-Purpose", "x")]
)
async def test_other_words_are_no_sign_of_it(gateway, name, value):
    async with gateway.client() as client:
        answer = await client.get(f"{BASE}/oauth/authorize/{'0' * 32}", headers={name: value})
    assert answer.status_code == 404


async def test_of_two_at_once_one_completes_and_the_other_says_what_to_look_at(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(Accept=HTML) as client:
        url = await gateway.returned(browser, gateway_id)
        client.cookies = browser.cookies
        first, second = sorted(
            await asyncio.gather(client.get(url), client.get(url)), key=lambda each: each.status_code
        )
    assert (first.status_code, second.status_code) == (303, 400)
    assert "if nothing is connected, start again with Authorize" in second.text
    assert len(provider.asked("token")) == 1


@pytest.mark.parametrize("accept", [HTML, "application/json"])
@pytest.mark.parametrize("path", ["/oauth/callback", "/oauth/callback/{id}"])
async def test_an_answer_that_is_posted_is_explained_and_uses_nothing_up(gateway, provider, log, accept, path):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(Accept=accept) as client:
        url = await gateway.returned(browser, gateway_id)
        form = url.partition("?")[2]
        client.cookies = browser.cookies  # as where the provider redirects its own form by 307
        answer = await client.post(
            BASE + path.format(id=gateway_id),
            content=form,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 400
        assert "The provider posted its answer as a form" in answer.text
        assert "response_mode=query in the gateway" in answer.text
        assert "callback-malformed" in answer.text
        assert form not in log()
        assert "OAuth callback failed: The provider posted its answer as a form" in log()
        assert provider.asked("token") == []
        assert (await browser.open(url)).title == TITLE


async def test_an_answer_in_the_fragment_leaves_the_query_empty_and_the_remedy_says_so(gateway):
    async with gateway.client(Accept=HTML) as client:
        answer = await client.get(f"{BASE}/oauth/callback#code=c&state=s")
    assert answer.status_code == 400
    assert "fragment" in answer.text
    assert "response_mode=query" in answer.text


async def test_response_mode_may_be_entered_as_query_and_as_nothing_else(gateway, provider):
    for mode in ("fragment", "form_post", "query.jwt", "Query", ""):
        with pytest.raises(InvalidRequest, match="response_mode to anything but 'query'"):
            await gateway.add(
                provider.provider.mcp_url, oauth_config={"extra_authorize_params": {"response_mode": mode}}
            )
    told = {"extra_authorize_params": {"response_mode": "query"}}
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config=told)
    async with gateway.client() as client:
        answer = await client.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["response_mode"] == ["query"]
