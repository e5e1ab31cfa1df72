"""The demo's MCP server: three tools for those whose token is meant for it."""

from __future__ import annotations

from importlib.resources import files

import pytest
from latchpin_demo.browser import Browser
from latchpin_demo.mcp_server import find_passages

from tests.providers import PlainClient
from tests.providers.clients import Age, answer_in, call_tool, list_tools
from tests.providers.servers import DemoProvider, sign_in


@pytest.mark.parametrize("age", ["auto", "legacy", "2026-07-28"])
@pytest.mark.parametrize("user", ["alice@example.com", "bob@example.com"])
async def test_each_user_is_known_by_their_own_token(
    caller: PlainClient, demo: DemoProvider, browser: Browser, user: str, age: Age
) -> None:
    answer = await caller.authorize(browser, user=user)
    token = (await caller.redeem(answer["code"])).json()["access_token"]
    assert await list_tools(demo.mcp_url, token, age) == demo.tools
    assert await call_tool(demo.mcp_url, token, "who_am_i", {}, age) == user
    assert float(await call_tool(demo.mcp_url, token, "add", {"a": 2.5, "b": 4}, age)) == 6.5
    assert "fingerprint" in await call_tool(demo.mcp_url, token, "search", {"query": "PKCE"}, age)


async def test_a_token_for_no_resource_or_for_nobody_is_refused(
    caller: PlainClient, demo: DemoProvider, browser: Browser
) -> None:
    await browser.open(caller.authorization_url(resource=None))
    answer = answer_in((await sign_in(browser, follow=False)).headers["location"])
    token = (await caller.redeem(answer["code"], resource="")).raise_for_status().json()["access_token"]
    assert demo.accounts.ledger.introspect(token) is not None
    for bearer in (token, "made-up"):
        refused = await caller.http.post(demo.mcp_url, json={}, headers={"Authorization": f"Bearer {bearer}"})
        assert refused.status_code == 401


async def test_its_description_names_the_issuer(caller: PlainClient, demo: DemoProvider) -> None:
    assert caller.resource["authorization_servers"] == [demo.issuer]
    assert caller.resource["resource"] == demo.mcp_url
    assert caller.resource["scopes_supported"] == ["mcp:read"]


def test_the_text_is_searched_by_words() -> None:
    assert find_passages("rotation refresh")[0].startswith("Refresh and rotation")
    assert len(find_passages("the")) == 3
    assert find_passages("zebra") == []
    assert find_passages("") == []


def test_the_text_has_headings_and_paragraphs() -> None:
    text = files("latchpin_demo").joinpath("notes.txt").read_text(encoding="utf-8")
    assert all("\n" in passage for passage in text.strip().split("\n\n"))
