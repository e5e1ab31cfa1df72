"""What may be asked for has a ceiling, whoever names more, and nothing is asked for where nothing is left."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin_inspection.discovering import discover

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, Connected, InnerGateway, connect, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch):
    environment.setenv("OAUTH_SCOPE_CEILING", "mcp:read, files:read")
    async with open_gateway() as opened:
        yield opened


async def authorize(gateway: InnerGateway, gateway_id: str):
    async with gateway.client(ALICE, Accept="application/json") as client:
        return await client.get(f"{BASE}/oauth/authorize/{gateway_id}")


def asked(answer) -> list[str]:
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["scope"][0].split()


@pytest.mark.parametrize(
    ("entered", "wanted"),
    [
        (["mcp:read"], ["mcp:read"]),
        (["mcp:admin", "files:read", "mcp:read"], ["files:read", "mcp:read"]),  # in their order
        (["mcp:rea", "MCP:READ", "mcp:read:all", "files:read"], ["files:read"]),  # no prefix, no other case
    ],
)
async def test_scopes_beyond_it_are_left_out(entered, wanted, gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config={"scopes": entered})
    assert asked(await authorize(gateway, gateway_id)) == wanted
    registered = provider.asked("register")[0].json
    assert registered["scope"].split() == wanted


@pytest.mark.parametrize("scopes", [["mcp:admin"], []], ids=["all-beyond", "none-named"])
async def test_a_request_without_a_scope_is_not_made(scopes, gateway: InnerGateway, provider: FaultSwitch):
    provider.arm("resource-metadata", faults.changed(scopes_supported=scopes))
    provider.arm("mcp", faults.status(401, www_authenticate="Bearer"))
    gateway_id = await gateway.add(provider.provider.mcp_url)
    refused = await authorize(gateway, gateway_id)
    assert (refused.status_code, refused.json()["cause"]) == (502, "scopes-beyond-ceiling")
    assert provider.asked("register") == []


async def test_what_a_server_asks_for_later_is_cut_too(gateway: InnerGateway, provider: FaultSwitch):
    connected: Connected = await connect(gateway, provider)
    challenge = 'Bearer error="insufficient_scope", scope="files:read mcp:admin"'
    provider.arm("mcp", faults.status(403, www_authenticate=challenge))
    assert (await connected.fetch()).status_code == 502
    assert set(asked(await authorize(gateway, connected.id))) == {"mcp:read", "files:read"}


async def test_a_gateways_own_token_has_it_too(gateway: InnerGateway, provider: FaultSwitch):
    config = {"grant_type": "client_credentials", "client_id": "own", "client_secret": "a secret of its own"}
    own = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
    provider.arm("token", faults.oauth_error("invalid_client"))
    for scopes, status, requests in ((["mcp:admin", "mcp:read"], 502, 1), (["mcp:admin"], 502, 0)):
        provider.forget()
        async with gateway.client(None, **await admin(gateway)) as client:
            await client.put(f"{BASE}/gateways/{own.id}", json={"oauth_config": {"scopes": scopes}})
        assert (await own.fetch()).status_code == status
        assert [form.form["scope"] for form in provider.asked("token")] == ["mcp:read"] * requests


async def admin(gateway: InnerGateway) -> dict[str, str]:

    token = await gateway.application.signed_tokens.create_bearer(ADMIN, True, timedelta(days=1))
    return {"Authorization": f"Bearer {token}"}


async def test_an_administrator_sees_what_is_left_out(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config={"scopes": ["mcp:admin", "mcp:read"]})
    found = (await discover(gateway.application, await gateway.application.gateways.get_any(gateway_id))).describe()
    assert found["scopes"]["value"] == ["mcp:read"]
    assert found["scopes"]["from"].endswith("without mcp:admin: beyond OAUTH_SCOPE_CEILING")
    assert found["found"]
