"""What the tests of tokens begin with: a gateway that alice has authorized, and calls as she makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from tests.callback.gateway import ALICE, BASE, InnerGateway
from tests.providers import FaultSwitch, sign_in

__all__ = ["Connected", "connect"]


@dataclass(frozen=True)
class Connected:
    """One gateway's entry, authorized."""

    gateway: InnerGateway
    provider: FaultSwitch
    id: str

    async def bearer(self, email: str = ALICE) -> dict[str, str]:
        token = await self.gateway.application.signed_tokens.create_bearer(email, False, timedelta(days=1))
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    async def call(self, method: str, path: str, email: str = ALICE) -> httpx.Response:
        """One request with a bearer token of the gateway's own."""
        async with self.gateway.client(None, **await self.bearer(email)) as client:
            return await client.request(method, BASE + path.format(id=self.id))

    async def fetch(self, email: str = ALICE) -> httpx.Response:
        return await self.call("POST", "/oauth/fetch-tools/{id}", email)

    async def status(self, email: str = ALICE) -> dict[str, Any]:
        answer = await self.call("GET", "/oauth/status/{id}", email)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["user_token_status"]
        return found

    async def authorize(self, email: str = ALICE) -> None:
        async with self.gateway.browser(email) as browser:
            await browser.open(f"{BASE}/oauth/authorize/{self.id}")
            page = await sign_in(browser, user=email)
            assert page.title == "OAuth Authorization Successful", page.text

    def refreshes(self) -> list[dict[str, str]]:
        """The refresh requests so far."""
        forms = [asked.form for asked in self.provider.asked("token")]
        return [form for form in forms if form["grant_type"] == "refresh_token"]

    def bearers(self) -> list[str]:
        """The access tokens that the MCP server was shown, in order, each once in a row."""
        shown = [asked.headers.get("authorization", "") for asked in self.provider.asked("mcp")]
        return [token for index, token in enumerate(shown) if token and (index == 0 or shown[index - 1] != token)]


async def connect(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    """Create the entry and authorize it as alice."""
    found = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url))
    await found.authorize()
    provider.forget()
    return found
