"""A URL and nothing else: what is found, from where, each decision, and what to enter where it cannot go on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from latchpin.errors import AddressRefused
from latchpin_admin_cli.inspection import lines_of
from latchpin_inspection.discovering import discover

from tests.providers import FaultSwitch, faults, start_fault_switch
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway
from tests.support.gateway_process import settings_of

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_cimd", "latchpin_memory_store")
CALLBACK = f"{BASE}/oauth/callback"
ENTERED = "entered on the gateway"


async def proof(gateway: InnerGateway, email: str) -> dict[str, str]:
    token = await gateway.application.signed_tokens.create_bearer(email, False, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


async def inspect(gateway: InnerGateway, url: str, **oauth_config: Any) -> dict[str, Any]:
    return await found_for(gateway, await gateway.add(url, oauth_config=oauth_config))


async def found_for(gateway: InnerGateway, gateway_id: str) -> dict[str, Any]:
    kept = await gateway.application.gateways.get_any(gateway_id)
    return (await discover(gateway.application, kept)).describe()


async def test_a_url_is_enough(gateway: InnerGateway, provider: FaultSwitch):
    url, issuer = provider.provider.mcp_url, provider.provider.issuer
    async with gateway.client(None, **await proof(gateway, ADMIN)) as admin:
        made = await admin.post(f"{BASE}/gateways", json={"url": url})
        assert made.status_code == 201
        found = (await admin.get(f"{BASE}/gateways/{made.json()['id']}/discovery")).json()
    document = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert (found["found"], found["why"], found["redirect_uri"]) == (True, None, CALLBACK)
    assert found["issuer"] == {"value": issuer, "from": document}
    assert found["resource"] == {"value": url, "from": document}
    assert found["challenge"]["asked_for_a_token"] is True
    assert found["trust"] == f"tokens from {issuer} will be sent to {url}"
    assert found["source"].endswith("/.well-known/oauth-authorization-server/accounts")
    assert found["registration"]["way"] == "Dynamic Client Registration"
    assert found["registration"]["others"] == {
        "entered by an administrator": "no client_id is entered on the gateway",
        "Client ID Metadata Document": "localhost is loopback, which no authorization server can reach",
    }
    assert [step.partition(": ")[2] for step in found["steps"]] == [
        "HTTP 401 with a challenge that names its metadata",
        "HTTP 200",
        "HTTP 200",
    ]
    assert provider.asked("register") == []
    assert found["pinned_issuer"] is None


JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BOUND, BEARER = "bound to a key (DPoP)", "bearer"


@pytest.mark.parametrize(
    ("entry", "resource", "tokens"),
    [
        ({}, False, (BEARER, "not both servers say that they bind tokens", "person")),
        ({}, True, (BOUND, "both servers do it", "person")),
        ({"dpop": False}, True, (BEARER, ENTERED, "person")),
        ({"dpop": True}, False, (BOUND, ENTERED, "person")),
        ({"grant_type": "client_credentials"}, True, (BOUND, "both servers do it", "client")),
        ({"grant_type": JWT_BEARER, "assertion": "a.b.c", "dpop": False}, False, (BEARER, ENTERED, "workload")),
    ],
)
async def test_what_kind_of_tokens_come_on_whose_word(
    entry, resource, tokens, gateway: InnerGateway, provider: FaultSwitch
):
    provider.arm("metadata", faults.changed(dpop_signing_alg_values_supported=["ES256"]))
    provider.arm("resource-metadata", faults.changed(dpop_bound_access_tokens_required=resource))
    found = await inspect(gateway, provider.provider.mcp_url, **entry)
    said = found["tokens"]
    assert (said["kind"], said["from"], said["vouched_for_by"]) == tokens
    line = dict(lines_of(found))["tokens"]
    assert line == f"{tokens[0]} ({tokens[1]}); vouched for by: {tokens[2]}"


async def test_others_than_administrators_are_not_told(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.client(None, **await proof(gateway, ALICE)) as alice:
        assert (await alice.get(f"{BASE}/gateways/{gateway_id}/discovery")).status_code == 403
        body = {"issuer": provider.provider.issuer}
        assert (await alice.post(f"{BASE}/gateways/{gateway_id}/issuer", json=body)).status_code == 403
    assert provider.asked() == []


async def test_after_the_first_use_the_kept_client_and_the_pin_are_shown(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        await gateway.returned(browser, gateway_id)
    found = (await discover(gateway.application, await gateway.application.gateways.get_any(gateway_id))).describe()
    [client] = await gateway.application.services.records.clients.list()
    assert found["registration"]["registered_client_id"] == client.client_id
    assert found["pinned_issuer"] == provider.provider.issuer


@pytest.mark.parametrize(
    ("config", "key", "said"),
    [
        ({}, "scopes", ["mcp:read"]),
        ({"scopes": ["mcp:read", "more"]}, "scopes", ENTERED),
        ({"resource": "urn:mine"}, "resource", ENTERED),
        ({"omit_resource": True}, "resource", f"omitted, {ENTERED}"),
        ({"client_id": "mine"}, "registration", "entered by an administrator"),
    ],
)
async def test_each_decision_says_where_it_comes_from(
    gateway: InnerGateway, provider: FaultSwitch, config: dict[str, Any], key: str, said: object
):
    found = await inspect(gateway, provider.provider.mcp_url, **config)
    assert said in found[key].values()


async def test_an_entered_issuer_is_said_to_be_entered(gateway: InnerGateway, provider: FaultSwitch):
    found = await inspect(gateway, provider.provider.mcp_url, issuer=provider.provider.issuer)
    assert found["issuer"] == {"value": provider.provider.issuer, "from": ENTERED}
    origin = provider.provider.issuer
    stated = {"client_id": "c", "authorization_url": f"{origin}/authorize", "token_url": f"{origin}/token"}
    found = await inspect(gateway, provider.provider.mcp_url, **stated)
    assert found["issuer"] == {"value": None, "from": "none is entered"}
    assert found["steps"] == []


async def test_what_the_provider_table_adds_is_said_to_come_from_it(gateway: InnerGateway, provider: FaultSwitch):
    found = await inspect(gateway, provider.provider.mcp_url, provider="entra", assume_pkce=False)
    assert found["provider"] == {
        "name": "entra",
        "label": "Microsoft Entra ID",
        "from": "from the provider table",
        "settings": {"omit_resource": True},
    }
    assert found["resource"] == {"value": None, "from": "omitted, from the provider table"}
    assert found["scopes"]["value"][-1] == "offline_access"
    assert found["scopes"]["from"].endswith(", with offline_access from the provider table")
    lines = list(lines_of(found))
    assert ("omit resource", "yes (from the provider table: Microsoft Entra ID)") in lines
    google = await inspect(gateway, provider.provider.mcp_url, provider="google", extra_authorize_params={"prompt": ""})
    assert google["provider"]["settings"] == {"extra_authorize_params": {"access_type": "offline"}}
    assert (await inspect(gateway, provider.provider.mcp_url, provider="none"))["provider"]["name"] == "none"


STUCK = {
    "no registration": ("metadata", faults.without("registration_endpoint"), "no way to a client_id"),
    "no authorization endpoint": ("metadata", faults.without("authorization_endpoint"), "no authorization endpoint"),
    "no PKCE": ("metadata", faults.without("code_challenge_methods_supported"), "code_challenge_methods_supported"),
    "no metadata": ("metadata", faults.status(404), "no usable metadata"),
    "server away": ("resource-metadata", faults.cut(), "its answer ended too early"),
}


@pytest.mark.parametrize("name", STUCK)
async def test_where_it_cannot_go_on_it_says_what_to_enter(gateway: InnerGateway, provider: FaultSwitch, name: str):
    endpoint, fault, why = STUCK[name]
    provider.arm(endpoint, fault)
    if name == "no metadata":
        provider.arm("openid", fault)
    found = await inspect(gateway, provider.provider.mcp_url)
    assert why in found["why"]
    assert found["redirect_uri"] == CALLBACK
    if name != "no authorization endpoint":
        assert CALLBACK in found["remedy"]
    lines = dict(lines_of(found))
    assert (lines["cannot go on"], lines["to do"]) == (found["why"], found["remedy"])


async def test_a_gateway_without_oauth_has_nothing_to_find(gateway: InnerGateway):
    gateway_id = await gateway.add("http://127.0.0.1:1/mcp", auth_type="none")
    found = (await discover(gateway.application, await gateway.application.gateways.get_any(gateway_id))).describe()
    assert found["why"] == "the gateway does not use OAuth"


async def test_a_forbidden_address_is_named(environment: pytest.MonkeyPatch, provider: FaultSwitch):
    from latchpin.activity.logs import tear_down_logging

    from tests.support.gateway_in_process import open_gateway

    environment.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "false")
    async with open_gateway() as gateway:
        found = await inspect(gateway, provider.provider.mcp_url)
    tear_down_logging()
    assert found["found"] is False
    assert AddressRefused.remedy.split()[0] in found["remedy"]


# -- a server that moves --------------------------------------------------------------------------------


async def test_a_move_is_confirmed_by_an_administrator(gateway: InnerGateway, provider: FaultSwitch):
    with start_fault_switch() as other:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        async with gateway.browser() as browser:
            await browser.open(await gateway.returned(browser, gateway_id))
        old, new = provider.provider.issuer, other.provider.issuer
        provider.arm("resource-metadata", faults.changed(authorization_servers=[new]))
        gateway.application.servers.forget(gateway_id)
        found = (await discover(gateway.application, await gateway.application.gateways.get_any(gateway_id))).describe()
        assert f"{old} was pinned" in found["why"]
        assert f"latchpin gateways confirm-issuer {gateway_id}" in found["remedy"]
        async with gateway.client(None, **await proof(gateway, ADMIN)) as admin:
            url = f"{BASE}/gateways/{gateway_id}/issuer"
            for wrong in ("https://evil.example", old):
                assert (await admin.post(url, json={"issuer": wrong})).status_code == 409
            assert (await admin.post(url, json={})).status_code == 400
            confirmed = await admin.post(url, json={"issuer": new})
        assert (confirmed.status_code, confirmed.json()["pinned_issuer"]) == (200, new)
        records = gateway.application.services.records
        assert await records.clients.list() == []  # a moved server's client is registered anew
        assert await records.tokens.get(gateway_id, "alice@example.com") is None
        async with gateway.browser() as browser:
            page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}", follow=False)
            assert page.headers["location"].startswith(new)
        assert [client.issuer for client in await records.clients.list()] == [new]
        assert len(other.asked("register")) == 1


async def test_an_entered_issuer_is_changed_and_not_confirmed(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config={"issuer": provider.provider.issuer})
    async with gateway.client(None, **await proof(gateway, ADMIN)) as admin:
        body = {"issuer": provider.provider.issuer}
        answer = await admin.post(f"{BASE}/gateways/{gateway_id}/issuer", json=body)
    assert (answer.status_code, "oauth_config.issuer" in answer.json()["remedy"]) == (400, True)


# -- as commands ----------------------------------------------------------------------------------------


@pytest.mark.backends("sqlite")
def test_the_commands_show_it(backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path):
    env = settings_of(backend)
    url, issuer = provider.provider.mcp_url, provider.provider.issuer

    def latchpin(*arguments: str) -> str:
        ended = run_latchpin("gateways", *arguments, env=env, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    said = latchpin("add", url, "--name", "shown")
    for fact in (
        "HTTP 401 with a challenge that names its metadata",
        f"{issuer} ({url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')})",
        "Dynamic Client Registration",
        "not entered by an administrator: no client_id is entered on the gateway",
        f"tokens from {issuer} will be sent to {url}",
        "/oauth/callback",
    ):
        assert fact in said
    assert f"tokens from {issuer} will be sent to {url}" in latchpin("show", "shown")
    shown = json.loads(latchpin("show", "shown", "--json"))
    added = json.loads(latchpin("add", url, "--name", "again", "--json"))
    assert added["discovery"] == shown["discovery"]
    assert "discovery" not in json.loads(latchpin("add", url, "--no-discover", "--json"))
    assert latchpin("confirm-issuer", "shown", "--yes", "--json") != ""
    assert json.loads(latchpin("show", "shown", "--json"))["pinned_issuer"] == issuer


async def test_a_wrong_method_is_told_every_right_one(gateway: InnerGateway):
    async with gateway.client(None, **await proof(gateway, ADMIN)) as admin:
        answers = [await admin.patch(f"{BASE}{path}") for path in ("/gateways", f"/gateways/{'0' * 32}", "/health")]
    allowed = [set(answer.headers["allow"].split(", ")) - {"HEAD"} for answer in answers]
    assert [answer.status_code for answer in answers] == [405] * 3
    assert allowed == [{"GET", "POST"}, {"GET", "PUT", "DELETE"}, {"GET"}]
    assert answers[0].json()["remedy"] == "Use GET, POST."


async def test_a_move_is_followed_where_the_setting_says_so(environment: pytest.MonkeyPatch, provider: FaultSwitch):
    from latchpin.activity.logs import tear_down_logging

    from tests.support.gateway_in_process import open_gateway

    environment.setenv("OAUTH_FOLLOW_ISSUER_CHANGE", "true")
    with start_fault_switch() as other:
        async with open_gateway() as gateway:
            gateway_id = await gateway.add(provider.provider.mcp_url)
            async with gateway.browser() as browser:
                await browser.open(await gateway.returned(browser, gateway_id))
                new = other.provider.issuer
                provider.arm("resource-metadata", faults.changed(authorization_servers=[new]))
                gateway.application.servers.forget(gateway_id)
                page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}", follow=False)
            assert page.headers["location"].startswith(new)
            clients = await gateway.application.services.records.clients.list(gateway_id=gateway_id)
            assert {client.issuer for client in clients} == {provider.provider.issuer, new}  # never one for both
            assert len({client.client_id for client in clients}) == 2
    tear_down_logging()
