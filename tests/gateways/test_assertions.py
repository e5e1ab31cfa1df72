"""Entries with the JWT bearer grant: what belongs together, and what a change takes along."""

from dataclasses import replace

import pytest
from latchpin.clients.secrets import open_configured_secret
from latchpin.errors import InvalidRequest
from latchpin.gateways.registry import GatewayRegistry, describe_gateway, parse_gateway_body
from latchpin_enterprise.settings import EnterpriseSettings

from tests.gateways.conftest import ADMIN, grants_with

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PROVIDER = {
    "grant_type": JWT_BEARER,
    "client_id": "c",
    "client_secret": "at the server",
    "identity_provider": "https://idp.example",
    "identity_provider_client_id": "us",
    "identity_provider_client_secret": "at the provider",
}
WORKLOAD = {"grant_type": JWT_BEARER, "client_id": "c", "assertion": "a.b.c"}


def secret(gateways, gateway, column):
    return open_configured_secret(gateway, gateways.cipher, column=column)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"identity_provider": "https://idp.example"}, "identity_provider is given, and grant_type is authorization"),
        ({"grant_type": "client_credentials", "assertion": "a.b.c"}, "assertion is given, and grant_type is client"),
        ({"grant_type": "password"}, "holds 'password': must be one of authorization_code, client_credentials, urn"),
        ({"grant_type": JWT_BEARER}, "nobody is named who vouches"),
        ({"grant_type": JWT_BEARER, "identity_provider": "https://idp.example"}, "or neither"),
        ({"grant_type": JWT_BEARER, "identity_provider_client_id": "us"}, "or neither"),
        (WORKLOAD | {"assertion_file": "token"}, "assertion and assertion_file: one alone"),
        (PROVIDER | {"assertion": "a.b.c"}, "one alone can vouch"),
        ({"grant_type": JWT_BEARER, "assertion_file": "token"}, "reads no such files"),
        (WORKLOAD | {"assertion_file": "../token"}, "bare name"),
        (WORKLOAD | {"assertion_file": "/etc/passwd"}, "bare name"),
        (WORKLOAD | {"assertion_file": ".."}, "bare name"),
        (WORKLOAD | {"assertion_file": "a\0b"}, "bare name"),
        ({"grant_type": JWT_BEARER, "identity_provider_client_secret": "s"}, "without a identity_provider_client_id"),
        (PROVIDER | {"identity_provider": "idp.example"}, "identity_provider holds"),
        (WORKLOAD | {"assertion": ""}, "assertion holds **********"),
    ],
)
async def test_what_contradicts_is_refused_by_name(config, said, gateways):
    with pytest.raises(InvalidRequest) as caught:
        await gateways.create(oauth_config=config)
    assert said in caught.value.detail


async def test_the_settings_provider_serves_entries_that_name_none(gateways):
    settings = EnterpriseSettings(
        identity_provider="https://idp.example", identity_provider_client_id="us", assertion_folder="/somewhere"
    )
    registry = GatewayRegistry(replace(gateways.services, grants=grants_with(settings)))
    for config in ({"grant_type": JWT_BEARER}, {"grant_type": JWT_BEARER, "assertion_file": "token"}):
        body = parse_gateway_body({"url": "https://mcp.example.com/mcp", "oauth_config": config})
        assert (await registry.create(body, ADMIN)).oauth.grant_type == JWT_BEARER
    body = {"url": "https://x.example", "oauth_config": {"grant_type": JWT_BEARER}}
    body["oauth_config"]["identity_provider_token_url"] = "https://elsewhere.example/token"
    with pytest.raises(InvalidRequest, match="without identity_provider"):
        await registry.create(parse_gateway_body(body), ADMIN)


async def test_secrets_go_in_and_never_come_out(gateways):
    for config in (PROVIDER, WORKLOAD):
        gateway = await gateways.create(oauth_config=config)
        shown = describe_gateway(gateway, ADMIN)["oauth_config"]
        for name in ("client_secret", "assertion", "identity_provider_client_secret"):
            assert name not in shown
            assert shown[f"{name}_set"] == (name in config)
            assert secret(gateways, gateway, name) == config.get(name)
        again = await gateways.change(gateway, oauth_config=shown)  # what was read may come back
        assert again.oauth == gateway.oauth


async def test_another_provider_drops_its_clients_secret_and_the_tokens_that_came_by_it(gateways):
    gateway = await gateways.create(oauth_config=PROVIDER)
    await gateways.connect(gateway)
    changed = await gateways.change(gateway, oauth_config={"identity_provider": "https://other.example"})
    assert secret(gateways, changed, "identity_provider_client_secret") is None
    assert secret(gateways, changed, "client_secret") == "at the server"
    assert await gateways.records.tokens.get(gateway.id, "ann@example.com") is None


async def test_another_place_at_the_provider_drops_its_secret_only(gateways):
    gateway = await gateways.create(oauth_config=PROVIDER)
    await gateways.connect(gateway)
    changed = await gateways.change(gateway, oauth_config={"identity_provider_token_url": "https://elsewhere.example"})
    assert secret(gateways, changed, "identity_provider_client_secret") is None
    assert await gateways.records.tokens.get(gateway.id, "ann@example.com") is not None


async def test_another_server_keeps_the_providers_secret_and_drops_its_own(gateways):
    gateway = await gateways.create(oauth_config=PROVIDER)
    changed = await gateways.change(gateway, url="https://elsewhere.example/mcp")
    assert secret(gateways, changed, "identity_provider_client_secret") == "at the provider"
    assert secret(gateways, changed, "client_secret") is None


async def test_a_workloads_jwt_is_not_sent_to_another_server(gateways):
    gateway = await gateways.create(oauth_config=WORKLOAD)
    with pytest.raises(InvalidRequest, match="meant for the earlier server"):
        await gateways.change(gateway, url="https://elsewhere.example/mcp")
    moved = await gateways.change(gateway, url="https://elsewhere.example/mcp", oauth_config={"assertion": "d.e.f"})
    assert secret(gateways, moved, "assertion") == "d.e.f"
    usual = await gateways.change(moved, oauth_config={"grant_type": None, "assertion": None})
    assert usual.oauth.assertion is None
