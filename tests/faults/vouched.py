"""What the tests of assertions begin with: a gateway whose users an identity provider vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.callback.gateway import ALICE, BASE, InnerGateway
from tests.faults.signed_in import Connected
from tests.providers import FaultSwitch
from tests.providers.identity_provider import CLIENT, SECRET, IdentityProvider, redeeming

__all__ = ["JWT_BEARER", "Vouched", "vouched_for"]

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
