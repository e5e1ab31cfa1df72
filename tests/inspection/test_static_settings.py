"""What is entered on a gateway always wins over what is discovered, registered or in the provider table."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.providers import FaultSwitch, start_fault_switch
from tests.support.gateway_in_process import BASE, InnerGateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")
GOOGLE = {"provider": "google"}


async def sent_to(gateway: InnerGateway, url: str, config: dict[str, Any]) -> tuple[str, dict[str, str], str]:
    """Where the browser is sent, with which parameters, and the gateway's id."""
    gateway_id = await gateway.add(url, oauth_config=config)
    async with gateway.client(Accept="application/json") as client:
        answer = await client.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert answer.status_code == 302, answer.text
    target = urlsplit(answer.headers["location"])
    query = {name: values[0] for name, values in parse_qs(target.query, keep_blank_values=True).items()}
    return target._replace(query="").geturl(), query, gateway_id


@pytest.mark.parametrize(
    ("config", "name", "expected"),
    [
        ({"client_id": "mine"}, "client_id", "mine"),
        ({"scopes": ["mine", "more"]}, "scope", "mine more"),
        ({"scopes": ["mine", "more"], "scope_separator": ","}, "scope", "mine,more"),
        ({"resource": "urn:mine"}, "resource", "urn:mine"),
        ({"omit_resource": True}, "resource", None),
        ({"omit_resource": False, "provider": "entra"}, "resource", "the server"),
        ({"audience": "mine", "provider": "atlassian"}, "audience", "mine"),
        ({"extra_authorize_params": {"prompt": "login"}, **GOOGLE}, "prompt", "login"),
        ({"extra_authorize_params": {"prompt": "login"}, **GOOGLE}, "access_type", "offline"),
        ({"scopes": ["mine"], "provider": "entra"}, "scope", "mine"),
        ({"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}, "redirect_uri", "its own"),
    ],
)
async def test_in_the_authorization_request(
    gateway: InnerGateway, provider: FaultSwitch, config: dict[str, Any], name: str, expected: str | None
):
    _, query, gateway_id = await sent_to(gateway, provider.provider.mcp_url, config)
    special = {"the server": provider.provider.mcp_url, "its own": f"{BASE}/oauth/callback/{gateway_id}"}
    assert query.get(name) == special.get(expected or "", expected)
    if "client_id" in config:
        assert provider.asked("register") == []


async def test_an_entered_endpoint_comes_before_the_discovered_one(gateway: InnerGateway, provider: FaultSwitch):
    url = f"{provider.provider.issuer}/my-own-authorize"
    target, _, gateway_id = await sent_to(gateway, provider.provider.mcp_url, {"authorization_url": url})
    assert target == url
    token_url = f"{provider.provider.issuer}/my-own-token"
    _, _, gateway_id = await sent_to(gateway, provider.provider.mcp_url, {"token_url": token_url})
    entry = await gateway.application.gateways.get_any(gateway_id)
    assert (await gateway.application.servers.find(entry)).metadata.token_endpoint == token_url


async def test_an_entered_issuer_comes_before_the_one_that_the_server_names(
    gateway: InnerGateway, provider: FaultSwitch
):
    with start_fault_switch() as other:
        target, _, _ = await sent_to(gateway, provider.provider.mcp_url, {"issuer": other.provider.issuer})
        assert target.startswith(other.provider.issuer)
        assert len(other.asked("register")) == 1
    assert provider.asked("metadata") == provider.asked("register") == []


async def test_an_entered_way_of_proving_the_client_comes_first(gateway: InnerGateway, provider: FaultSwitch):
    config = {"client_id": "mine", "client_secret": "s" * 20, "token_endpoint_auth_method": "client_secret_post"}
    _, _, gateway_id = await sent_to(gateway, provider.provider.mcp_url, config)
    entry = await gateway.application.gateways.get_any(gateway_id)
    found = await gateway.application.servers.find(entry)
    client = await gateway.application.clients.existing(entry, found.metadata)
    assert client is not None
    assert client.auth_method == "client_secret_post"
