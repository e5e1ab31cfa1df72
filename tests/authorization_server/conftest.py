"""The gateway in the test's process with its authorization server, a protected MCP server behind it, and a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from latchpin_demo.browser import Browser, Page

from tests.providers import FaultSwitch
from tests.providers.clients import REDIRECT_URI, PlainClient
from tests.providers.servers import sign_in
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

# A client that knows one URL: discovery, registration, the browser, tokens, calls. Each step can be changed.


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "stock", "version": "1"}},
}


class StockClient(PlainClient):
    """What an MCP client does with the authorization server."""

    async def introduce(self, **wishes: Any) -> None:
        """Discover and register, as a public client."""
        await self.discover()
        (await self.register("none", **wishes)).raise_for_status()

    async def visit(self, browser: Browser, *, decision: str = "allow", **changes: str | None) -> Page:
        """Lead the person through consent, and through the MCP server's own sign-in, to wherever it ends."""
        page = await browser.open(self.authorization_url(**changes))
        if any(form.action.endswith("/oauth2/decision") for form in page.forms):
            page = await browser.submit(page.form(action="/oauth2/decision"), press=decision)
        return await sign_in(browser)

    async def gets_in(self, browser: Browser) -> dict[str, Any]:
        """From the URL to the tokens."""
        await self.introduce()
        answer = answer_of(await self.visit(browser))
        tokens: dict[str, Any] = (await self.redeem(answer["code"])).raise_for_status().json()
        return tokens

    async def call(self, access_token: str, message: dict[str, Any] = INITIALIZE) -> httpx.Response:
        """Send a message to the endpoint."""
        headers = {"authorization": f"Bearer {access_token}", "accept": "application/json, text/event-stream"}
        return await self.http.post(self.mcp_url, json=message, headers=headers)


def answer_of(page: Page) -> dict[str, str]:
    """The answer that the browser brought to the client."""
    assert page.url.startswith(REDIRECT_URI), f"{page.url}: {page.title} {page.text}"
    return dict(parse_qsl(urlsplit(page.url).query, strict_parsing=True))


NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")


@dataclass(frozen=True)
class Endpoint:
    """One gateway and where MCP clients reach it."""

    gateway_id: str

    @property
    def url(self) -> str:
        return f"{BASE}/gateways/{self.gateway_id}/mcp"


@pytest.fixture
async def files(gateway: InnerGateway, provider: FaultSwitch) -> Endpoint:
    """A gateway before a server that wants OAuth."""
    return Endpoint(await gateway.add(provider.provider.mcp_url, name="Files"))


@pytest.fixture
async def browser(gateway: InnerGateway) -> AsyncIterator[Browser]:
    """Alice's browser; the client's own address is not there."""
    async with Browser(gateway.client(ALICE), stops_before=REDIRECT_URI) as opened:
        yield opened


@pytest.fixture
async def stock(gateway: InnerGateway, files: Endpoint) -> AsyncIterator[StockClient]:
    """A client that knows the endpoint's URL and nothing else."""
    async with gateway.client(None) as http:
        yield StockClient(http, files.url)
