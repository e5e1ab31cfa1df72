"""A rule about scopes: what an authorization asks for is cut, and a server that wants more is answered clearly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from latchpin.errors import ScopesBeyondCeiling
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller
from latchpin.tokens.scope_rules import scopes_within_rules

from tests.aggregator.conftest import Program
from tests.core.test_plugin_faults import install
from tests.faults.test_grants import ACME, BADGE
from tests.policy.conftest import group, rules
from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, Connected, InnerGateway, connect, open_gateway

__all__ = ["install"]

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


# -- by other ways than a browser, and for all ----------------------------------------------------------------

BOTH = ["mcp:read", "mcp:admin"]


@pytest.mark.parametrize(
    ("rule", "scopes"),
    [
        ({"scopes": "mcp:read other"}, ["mcp:read"]),
        ({"scopes": "mcp:read", "who": [ALICE]}, ["mcp:read mcp:admin"]),  # it is nobody's in particular
        ({"scopes": "other"}, []),
    ],
)
async def test_a_gateways_own_token_is_cut_by_the_rules_about_everyone(
    gateway: InnerGateway, provider: FaultSwitch, rule: dict[str, Any], scopes: list[str]
):
    config = {"grant_type": "client_credentials", "client_id": "own", "client_secret": "its own", "scopes": BOTH}
    own = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
    await rules(gateway, {"effect": "scopes", **rule})
    provider.arm("token", faults.oauth_error("invalid_client"))
    answer = await own.fetch()
    assert answer.status_code == 502
    assert [form.form["scope"] for form in provider.asked("token")] == scopes
    assert (answer.json()["cause"] == "scopes-beyond-ceiling") is (not scopes)


async def test_a_persons_token_from_any_grant_is_cut_by_the_rules_about_them(
    install: Any, environment: Any, provider: FaultSwitch
):
    install(ACME)
    provider.arm("token", faults.oauth_error("invalid_grant"))
    async with open_gateway() as gateway:
        config = {"grant_type": BADGE, "client_id": "c", "scopes": BOTH}
        connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
        await rules(gateway, {"effect": "scopes", "scopes": "mcp:read", "who": [ALICE]})
        await connected.fetch()
        async with gateway.client("bob@example.com") as bob:
            await bob.post(f"{BASE}/gateways/{connected.id}/mcp", json={})
    assert [form.form["scope"] for form in provider.asked("token")] == ["mcp:read", "mcp:read mcp:admin"]


async def test_where_nobody_asks_the_owners_groups_count(gateway: InnerGateway):
    services = gateway.application.services
    entry = await gateway.application.gateways.get_any(await gateway.add("https://mcp.example.com/mcp"))
    await group(gateway, "readers", ALICE)
    await rules(gateway, {"effect": "scopes", "scopes": "mcp:read", "who": "group:readers"})
    for owner, scopes in ((ALICE, ("mcp:read",)), (CLIENT_ITSELF, tuple(BOTH)), (COMPANY, tuple(BOTH))):
        assert await scopes_within_rules(services, entry, tuple(BOTH), owner=owner, caller=None) == scopes
    with pytest.raises(ScopesBeyondCeiling, match="mcp:admin"):
        await scopes_within_rules(services, entry, ("mcp:admin",), owner=ALICE, caller=None)


async def test_the_account_of_all_is_cut_by_the_rules_about_everyone_whoever_connects_it(
    gateway: InnerGateway, provider: FaultSwitch
):
    config = {"scopes": [*BOTH, "files:read"]}
    entry = await gateway.add(provider.provider.mcp_url, connection="shared", oauth_config=config)
    await rules(
        gateway,
        {"effect": "scopes", "scopes": "mcp:admin", "who": [ADMIN]},
        {"effect": "scopes", "scopes": "mcp:read mcp:admin"},
    )
    bearer = await gateway.application.signed_tokens.create_bearer(ADMIN, True, timedelta(days=1))
    async with gateway.client(None, Authorization=f"Bearer {bearer}") as client:
        assert asked(await client.get(f"{BASE}/oauth/authorize/{entry}")) == BOTH
    there = await gateway.application.gateways.get_any(entry)
    assert await gateway.application.scope_ceiling(there, Caller(ADMIN, is_admin=True)) == set(BOTH)
