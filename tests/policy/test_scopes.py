"""A rule about scopes: what an authorization asks for is cut, and a server that wants more is answered clearly."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.aggregator.conftest import Program
from tests.policy.conftest import rules
from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr")


async def authorize(gateway: InnerGateway, gateway_id: str, email: str = ALICE) -> httpx.Response:
    async with gateway.client(email, Accept="application/json") as client:
        return await client.get(f"{BASE}/oauth/authorize/{gateway_id}")


def asked(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["scope"][0].split()


async def test_what_is_asked_for_is_cut_for_whom_the_rule_is_about(gateway: InnerGateway, provider: FaultSwitch):
    config = {"scopes": ["mcp:read", "mcp:admin"]}
    entry = await gateway.add(provider.provider.mcp_url, oauth_config=config)
    await rules(gateway, {"effect": "scopes", "scopes": "mcp:read other", "who": [ALICE]})
    assert asked(await authorize(gateway, entry)) == ["mcp:read"]
    assert asked(await authorize(gateway, entry, "bob@example.com")) == ["mcp:read", "mcp:admin"]


async def test_where_nothing_is_left_nothing_is_asked(gateway: InnerGateway, provider: FaultSwitch):
    entry = await gateway.add(provider.provider.mcp_url, oauth_config={"scopes": ["mcp:admin"]})
    await rules(gateway, {"effect": "scopes", "scopes": "mcp:read", "gateway": entry})
    refused = await authorize(gateway, entry)
    assert (refused.status_code, refused.json()["cause"]) == (502, "scopes-beyond-ceiling")


async def test_a_server_that_wants_more_is_not_given_it(gateway: InnerGateway, provider: FaultSwitch):
    connected = await connect(gateway, provider)
    await rules(gateway, {"effect": "scopes", "scopes": "mcp:read files:read"})
    for wanted, code in (("files:read", "insufficient-scope"), ("files:read mcp:admin", "scopes-not-allowed")):
        challenge = f'Bearer error="insufficient_scope", scope="{wanted}"'
        provider.arm("mcp", faults.status(403, www_authenticate=challenge))
        async with gateway.client(None, **await connected.bearer()) as http:
            program = Program(http, f"{BASE}/gateways/{connected.id}/mcp")
            answer = await program.send(*program.message("ping"))
        assert code in answer.text
    assert set(asked(await authorize(gateway, connected.id))) == {"mcp:read", "files:read"}
