"""What doctor says of each gateway: discovery, PKCE, its client, its server's answers, its tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.contracts import Severity
from latchpin.model import Caller

from tests.api_keys.keyed_server import start_keyed
from tests.doctor.conftest import not_well, of_check, one
from tests.doctor.test_healthy import authorize
from tests.providers import FaultSwitch
from tests.providers.faults import answer, html, oauth_error, redirect, status, without
from tests.support.gateway_in_process import BASE, SECRET, open_gateway

pytestmark = [pytest.mark.needs("latchpin_dcr"), pytest.mark.backends("sqlite")]


@pytest.fixture
async def gateway(settings):
    async with open_gateway() as opened:
        yield opened


@pytest.mark.parametrize(
    "case",
    [
        ("metadata", status(500), "discovery-failed", "metadata discovery failed"),
        ("metadata", html(), "discovery-failed", "metadata discovery failed"),
        ("metadata", answer({"issuer": "http://127.0.0.1:1/other"}), "discovery-failed", "metadata discovery failed"),
        ("metadata", without("code_challenge_methods_supported"), "pkce-unsupported", "PKCE"),
        ("token", html(code=503), "token-endpoint-unreadable", "the token endpoint cannot be asked"),
    ],
)
async def test_a_server_that_is_not_well(gateway, provider: FaultSwitch, diagnose, case):
    endpoint, fault, cause, title = case
    gateway_id = await gateway.add(provider.provider.mcp_url, name="under test")
    await authorize(gateway, gateway_id)
    provider.arm(endpoint, fault)
    if endpoint == "metadata":
        provider.arm("openid", fault)
    finding = one(await diagnose(), title)
    assert (finding.severity, finding.gateway_id) == (Severity.FAILURE, gateway_id)
    assert finding.cause == cause
    assert finding.title.startswith("under test: ")
    assert finding.remedy
    if endpoint == "metadata":
        assert finding.command == f"latchpin gateways show {gateway_id}"
    provider.heal()
    assert not_well(await diagnose()) == []


async def test_one_gateway_that_is_away_does_not_hide_the_others(gateway, provider: FaultSwitch, diagnose):
    away = await gateway.add("http://127.0.0.1:1/mcp", name="away")
    well = await gateway.add(provider.provider.mcp_url, name="well")
    plain = await gateway.add("http://127.0.0.1:1/plain", name="plain", auth_type="none")
    report = await diagnose()
    assert {finding.gateway_id for finding in not_well(report)} == {away}
    assert one(report, "well: its authorization server is").gateway_id == well
    assert one(report, "well: the first authorization gets a client by Dynamic Client Registration")
    assert one(report, "well: nobody has connected yet")
    assert one(report, "plain: it uses no OAuth").gateway_id == plain
    only = await diagnose(gateway_id="well")
    assert {finding.gateway_id for finding in of_check(only, "gateways")} == {well}
    provider.forget()
    offline = await diagnose(offline=True)
    assert not_well(offline) == []
    assert provider.asked() == [], "offline, nobody is asked"


async def test_an_entered_secret_that_is_wrong(gateway, provider: FaultSwitch, diagnose):
    client = provider.accounts.ledger.put_client(
        name="by hand", redirect_uris=(f"{BASE}/oauth/callback",), auth_method="client_secret_basic", scope=""
    )
    wrong = {"client_id": client.id, "client_secret": "not-the-secret"}
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config=wrong)
    finding = one(await diagnose(), "its server does not accept the client")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "token-invalid-client")
    assert finding.gateway_id == gateway_id
    assert finding.fix is None, "what was entered is the administrator's to correct"
    assert "not-the-secret" not in str(finding)


async def test_an_entered_secret_that_no_key_opens(settings, provider: FaultSwitch, diagnose):
    entered = {"client_id": "by-hand", "client_secret": "a-secret", "issuer": provider.provider.issuer}
    async with open_gateway() as gateway:
        await gateway.add(provider.provider.mcp_url, oauth_config=entered)
    settings.setenv("AUTH_ENCRYPTION_SECRET", SECRET[::-1])
    finding = one(await diagnose(), "its client secret opens with no key")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "unsealable")
    assert "AUTH_ENCRYPTION_SECRETS_OLD" in finding.remedy


async def test_a_server_that_answers_the_authorization_with_an_error(gateway, provider: FaultSwitch, diagnose):
    await authorize(gateway, await gateway.add(provider.provider.mcp_url))
    provider.arm("authorize", redirect(f"{BASE}/oauth/callback?error=invalid_scope&state=x"))
    finding = one(await diagnose(), "its server answers an authorization with 'invalid_scope'")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "refused-invalid-scope")
    provider.arm("authorize", redirect("https://login.example.com/?error=invalid_scope"))
    assert not_well(await diagnose()) == [], "an error that is not for us says nothing"


@pytest.mark.parametrize("fault", [oauth_error("invalid_grant"), oauth_error("unsupported_grant_type")])
async def test_a_refusal_that_is_not_about_the_client_means_that_it_is_known(
    gateway, provider: FaultSwitch, diagnose, fault
):
    await authorize(gateway, await gateway.add(provider.provider.mcp_url))
    provider.arm("token", fault)
    assert one(await diagnose(), "its server knows the client").severity is Severity.OK


async def test_no_client_and_no_way_to_one(gateway, provider: FaultSwitch, diagnose):
    await gateway.add(provider.provider.mcp_url)
    provider.arm("metadata", without("registration_endpoint"))
    finding = one(await diagnose(), "people cannot authorize")
    assert "no way to a client_id" in finding.detail
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "dcr-failed")


async def test_a_server_without_a_page_to_authorize_at(gateway, provider: FaultSwitch, diagnose):
    provider.arm("metadata", without("authorization_endpoint"))
    await gateway.add(provider.provider.mcp_url)
    finding = one(await diagnose(), "people cannot authorize")
    assert "names no authorization endpoint" in finding.detail
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "discovery-failed")


@pytest.mark.parametrize("setting", ["DCR_ENABLED", "DCR_AUTO_REGISTER_ON_MISSING_CREDENTIALS"])
async def test_registration_that_is_switched_off(settings, provider: FaultSwitch, diagnose, setting: str):
    async with open_gateway() as gateway:
        await gateway.add(provider.provider.mcp_url)
        settings.setenv(setting, "false")
        finding = one(await diagnose(), "people cannot authorize")
    assert f"{setting} is false" in finding.detail
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "dcr-failed")


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"is_active": False}, "is switched off"),
        ({"expires_at": timedelta(days=-1)}, "its client's secret has expired"),
        ({"expires_at": timedelta(days=3)}, "its client's secret expires within a week"),
    ],
)
async def test_a_registered_client_that_is_over(gateway, provider: FaultSwitch, diagnose, change, title):
    await authorize(gateway, await gateway.add(provider.provider.mcp_url))
    clients = gateway.application.services.records.clients
    (client,) = await clients.list()
    await clients.delete(client.id)
    moment = {name: gateway.clock() + value for name, value in change.items() if isinstance(value, timedelta)}
    await clients.put(replace(client, **{**change, **moment}))
    finding = one(await diagnose(), title)
    assert finding.severity is Severity.WARNING
    if "week" not in title:
        assert finding.fix is not None
        assert "The next authorization registers another." in finding.detail
        assert "registers another" not in one(await diagnose(offline=True), title).detail


async def test_pkce_that_only_an_administrator_vouches_for(gateway, provider: FaultSwitch, diagnose):
    provider.arm("metadata", without("code_challenge_methods_supported"))
    provider.arm("openid", without("code_challenge_methods_supported"))
    await gateway.add(provider.provider.mcp_url, oauth_config={"assume_pkce": True})
    finding = one(await diagnose(), "nothing but its entry says that its server does PKCE")
    assert finding.severity is Severity.WARNING


async def test_what_the_provider_table_knows_counts_as_in_an_authorization(gateway, provider: FaultSwitch, diagnose):
    provider.arm("metadata", without("code_challenge_methods_supported"))
    provider.arm("openid", without("code_challenge_methods_supported"))
    (name,) = [each.name for each in gateway.application.services.providers if each.assume_pkce][:1]
    await gateway.add(provider.provider.mcp_url, oauth_config={"provider": name})
    assert one(await diagnose(), "its authorization server is").severity is Severity.OK


async def test_connections_are_counted_by_how_they_are(gateway, provider: FaultSwitch, diagnose):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    await authorize(gateway, gateway_id)
    tokens = gateway.application.services.records.tokens
    (token,) = await tokens.list()
    spent = replace(token, needs_reauth=True, revision=token.revision + 1)
    await tokens.put(spent, replacing=token)
    finding = one(await diagnose(), "1 of 1 connection needs a new authorization")
    assert finding.detail.startswith("Connections: 1 needs reauth.")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "authorization-required")
    assert finding.command == f"{BASE}/oauth/authorize/{gateway_id}"


async def test_a_server_that_wants_a_key(gateway, diagnose):
    with start_keyed(("x-api-key", "sk-doctor")) as server:
        gateway_id = await gateway.add(server.url, name="keyed", auth_type="api_key", api_key={"header": "X-API-Key"})
        report = await diagnose()
        assert one(report, "keyed: its server wants an API key, in the field X-API-Key").severity is Severity.OK
        assert one(report, "keyed: nobody has connected yet").severity is Severity.OK
        application = gateway.application
        entry = await application.gateways.get_any(gateway_id)
        await application.api_keys.keep(entry, "sk-doctor", Caller("ann@example.com"))
        report = await diagnose()
        assert not_well(report) == []
        assert "1 connection" in one(report, "keyed: 1 connection can be used").title
    assert "sk-doctor" not in str(report)
