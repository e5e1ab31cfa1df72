"""People who are connected, and people whom an identity provider vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from tests.callback.gateway import ALICE, BASE, InnerGateway
from tests.providers import FaultSwitch, sign_in
from tests.providers.identity_provider import CLIENT, SECRET, IdentityProvider, redeeming

__all__ = ["Connected", "JWT_BEARER", "Vouched", "connect", "vouched_for"]

# What the tests of tokens begin with: a gateway that alice has authorized, and calls as she makes them.


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


# What the tests of assertions begin with: a gateway whose users an identity provider vouches for.


JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class Vouched(Connected):
    """One such entry, and its identity provider."""

    idp: IdentityProvider

    async def hand_in(self, token: object, email: str = ALICE, method: str = "PUT") -> httpx.Response:
        async with self.gateway.client(None, **await self.bearer(email)) as client:
            body: Any = {"id_token": token}
            return await client.request(method, f"{BASE}/oauth/identity-assertion/{self.id}", json=body)

    async def tools(self, token: str) -> httpx.Response:
        """Fetch with a bearer token of the caller's own making."""
        async with self.gateway.client(None, Authorization=f"Bearer {token}") as client:
            return await client.post(f"{BASE}/oauth/fetch-tools/{self.id}")

    def redeemed(self) -> list[dict[str, str]]:
        """The token requests at the authorization server so far."""
        return [asked.form for asked in self.provider.asked("token")]


async def vouched_for(gateway: InnerGateway, provider: FaultSwitch, idp: IdentityProvider, **config: Any) -> Vouched:
    """Create the entry; the servers trust each other."""
    url, issuer = provider.provider.mcp_url, provider.accounts.issuer
    provider.arm("token", redeeming(idp, provider.accounts.ledger, issuer=issuer, resource=url))
    entry = {
        "grant_type": JWT_BEARER,
        "client_id": idp.client_of,
        "identity_provider": idp.issuer,
        "identity_provider_client_id": CLIENT,
        "identity_provider_client_secret": SECRET,
    }
    return Vouched(gateway, provider, await gateway.add(url, oauth_config=entry | config), idp)
