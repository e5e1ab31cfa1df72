"""The endpoint is a protected resource, and where people look for a URL they find it."""

from __future__ import annotations

import httpx
import pytest

from tests.support.gateway_in_process import BASE, InnerGateway

MCP = "http://127.0.0.1:1/mcp"
HERE = f"{BASE}/mcp"


@pytest.fixture
async def nobody(gateway: InnerGateway):
    async with gateway.client(None, Accept="application/json") as client:
        yield client


async def test_a_challenge_leads_to_the_metadata(gateway: InnerGateway, nobody: httpx.AsyncClient):
    for method in ("POST", "GET", "DELETE"):
        answer = await nobody.request(method, HERE, content=b"{}")
        assert answer.status_code == 401
        where = f"{BASE}/.well-known/oauth-protected-resource/mcp"
        assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
    document = (await nobody.get(where)).json()
    assert document["resource"] == HERE
    assert document["authorization_servers"] == [BASE]


async def test_the_page_for_clients_shows_it_first(gateway: InnerGateway):
    gateway_id = await gateway.add(MCP, name="Files")
    async with gateway.browser() as browser:
        page = await browser.open(f"{BASE}/connect")
        assert f"claude mcp add --transport http all-servers {HERE}" in page.text
        page = await browser.open(f"{BASE}/connect?gateway_id={gateway_id}")
    assert f"claude mcp add --transport http files {BASE}/gateways/{gateway_id}/mcp" in page.text


async def test_who_may_use_no_server_is_not_sent_there(gateway: InnerGateway):
    await gateway.add(MCP, name="Files", allowed_users=["bob@example.com"])
    async with gateway.browser() as browser:
        assert HERE not in (await browser.open(f"{BASE}/connect")).text
