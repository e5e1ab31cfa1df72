"""One server where people have several accounts, or share one: the demo's, whose tool says who is signed in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser, Page

from tests.aggregator.conftest import Era, Program, text_in
from tests.providers import FaultSwitch, sign_in
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

NEEDS = ("latchpin_proxy", "latchpin_aggregator", "latchpin_demo", "latchpin_dcr", "latchpin_memory_store")
BOB = "bob@example.com"
ASKED = "Connect the account that all of Weather use?"
SUCCESS = "OAuth Authorization Successful"


@dataclass
class Server:
    """A gateway's entry, and what people do with it.

    Attributes:
        id: the entry's.
        provider: the authorization server, where alice and bob have accounts, and the MCP server.
    """

    gateway: InnerGateway
    provider: FaultSwitch
    id: str

    async def begin(self, email: str, query: str = "") -> httpx.Response:
        async with self.gateway.client(email, Accept="application/json") as client:
            return await client.get(f"{BASE}/oauth/authorize/{self.id}{query}")

    async def connect(self, email: str, *, to: str, query: str = "") -> Page:
        """``email`` authorizes, and signs in there as ``to``."""
        async with self.gateway.browser(email) as browser:
            return await self.connect_in(browser, to=to, query=query)

    async def connect_in(self, browser: Browser, *, to: str, query: str = "") -> Page:
        await self.go_there(browser, query)
        return await sign_in(browser, user=to)

    async def go_there(self, browser: Browser, query: str = "") -> Page:
        """Begin an authorization, and say that it is meant where the gateway asks."""
        page = await browser.open(f"{BASE}/oauth/authorize/{self.id}{query}")
        return await browser.submit(page.form(button="Continue")) if page.title == ASKED else page

    async def api(self, method: str, path: str, email: str = ALICE, **more: Any) -> httpx.Response:
        async with self.gateway.client(None, **await self.gateway.bearer(email)) as client:
            return await client.request(method, BASE + path.replace("{id}", self.id), **more)

    async def connections(self, email: str = ALICE) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.api("GET", "/oauth/tokens", email)).json()["connections"]
        return found

    async def program(self, email: str = ALICE, query: str = "", *, era: Era = "modern", path: str = "") -> Program:
        client = self.gateway.client(None, **await self.gateway.bearer(email))
        return Program(client, f"{BASE}{path or f'/gateways/{self.id}/mcp'}{query}", era)

    async def who(self, email: str = ALICE, query: str = "", *, era: Era = "modern") -> str:
        """What the server says who calls, or why nobody does."""
        program = await self.program(email, query, era=era)
        async with program.http:
            return said(await program.ask("tools/call", name="who_am_i", arguments={}))

    async def tokens(self) -> list[Any]:
        return await self.gateway.application.services.records.tokens.list(gateway_id=self.id)


def said(answer: dict[str, Any]) -> str:
    """The text of a tool's result, or the error."""
    return text_in(answer) if "result" in answer else json.dumps(answer)


@pytest.fixture
async def server(gateway: InnerGateway, provider: FaultSwitch) -> Server:
    return Server(gateway, provider, await gateway.add(provider.provider.mcp_url, name="Weather"))


@pytest.fixture
async def shared(gateway: InnerGateway, provider: FaultSwitch) -> Server:
    """One account for all; nobody has connected it."""
    return Server(gateway, provider, await gateway.add(provider.provider.mcp_url, name="Weather", connection="shared"))


__all__ = ["ADMIN", "ALICE", "ASKED", "BOB", "NEEDS", "SUCCESS", "Server", "said"]
