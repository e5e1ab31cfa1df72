"""What is taken over, what is left out and why, and that nobody gets more than they had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.clients.secrets import open_registration_token
from latchpin.errors import BackendUnavailable
from latchpin.model import COMPANY, Caller
from latchpin_adopt_contextforge.adoption import Adoption, check_secret
from latchpin_adopt_contextforge.errors import SourceUnreadable
from latchpin_adopt_contextforge.report import Report, Row
from latchpin_adopt_contextforge.sealing import Opener
from latchpin_adopt_contextforge.source import parse_source_url, read_source
from latchpin_demo.browser import Browser
from latchpin_offboarding.people import People

from tests.adopt_contextforge.theirs import HOUR, NOW, THEIR_SECRET, Theirs, seal, seal_headers
from tests.providers import FaultSwitch, PlainClient
from tests.providers.faults import status
from tests.providers.servers import start_sdk_provider
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, Connected, InnerGateway

NEEDS = ("latchpin_adopt_contextforge", "latchpin_dcr", "latchpin_memory_store", "latchpin_proxy")
BOB = "bob@example.com"
MCP = "https://mcp.invalid/mcp"


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    made = Theirs(f"sqlite:///{tmp_path}/theirs.db")
    yield made
    made.close()


async def adopt(gateway: InnerGateway, theirs: Theirs, *, write: bool = True) -> Report:
    source = read_source(parse_source_url(theirs.url))
    opener = Opener(THEIR_SECRET)
    await check_secret(source, opener)
    told: list[tuple[str, int, int]] = []
    adoption = Adoption(gateway.application, source, opener, write=write, tell=lambda *said: told.append(said))
    report = await adoption.run()
    assert told[-1:] == [("tokens", len(source.tokens), len(source.tokens))] if source.tokens else told
    return report


def found(report: Report, kind: str, gateway: str, whose: str = "") -> Row:
    (row,) = [each for each in report.rows if (each.kind, each.gateway, each.whose) == (kind, gateway, whose)]
    return row


def oauth(provider: FaultSwitch, **more: Any) -> dict[str, Any]:
    config = {"grant_type": "authorization_code", "issuer": provider.accounts.issuer, "scopes": ["mcp:read"]}
    return {"auth_type": "oauth", "oauth_config": config | {"resource": provider.provider.mcp_url} | more}


@pytest.fixture
async def demo_gateway(theirs: Theirs, provider: FaultSwitch, http: httpx.AsyncClient, browser: Browser) -> str:
    """A gateway with a registered client and Alice's real tokens, as ContextForge would have them."""
    plain = PlainClient(http, provider.provider.mcp_url)
    tokens = await plain.obtain(browser)
    client = plain.client
    gateway = theirs.gateway("demo", provider.provider.mcp_url, **oauth(provider, client_id=client["client_id"]))
    uris = f'["{BASE}/oauth/callback"]'
    theirs.client(gateway, provider.accounts.issuer, client["client_id"], client["client_secret"], redirect_uris=uris)
    theirs.token(gateway, ALICE, tokens["access_token"], tokens["refresh_token"])
    provider.forget()
    return gateway


async def test_tokens_serve_and_are_renewed_by_the_registered_client(gateway, provider, theirs, demo_gateway):
    tried = await adopt(gateway, theirs, write=False)
    assert (len(tried.rows), tried.left_out, tried.told) == (3, [], [])
    assert await gateway.application.services.records.gateways.list() == []
    assert (await adopt(gateway, theirs)).rows == tried.rows
    alice = Connected(gateway, provider, demo_gateway)
    assert (await alice.fetch()).status_code == 200
    assert provider.asked("token") == []
    gateway.clock.advance(minutes=61)
    assert (await alice.fetch()).status_code == 200
    (form,) = alice.refreshes()
    assert form["resource"] == provider.provider.mcp_url
    assert provider.asked("register") == []
    again = await adopt(gateway, theirs)
    assert {row.outcome for row in again.rows} == {"there"}
    assert (await alice.fetch()).status_code == 200, "what was renewed since is not written over"


async def test_a_registration_token_is_opened_once_whatever_it_looks_like(gateway, theirs, demo_gateway):
    token = "{looks sealed}"
    theirs.change(f"UPDATE registered_oauth_clients SET registration_access_token_encrypted = '{seal(token)}'")
    assert (await adopt(gateway, theirs)).left_out == []
    services = gateway.application.services
    (client,) = await services.records.clients.list()
    assert open_registration_token(client, services.cipher) == token


async def test_an_expired_token_is_renewed_at_once_and_one_without_an_end_lasts(
    gateway, provider, theirs, demo_gateway
):
    theirs.change("UPDATE oauth_tokens SET expires_at = '2026-01-01 00:00:00', updated_at = '2025-12-31 23:00:00'")
    theirs.token(demo_gateway, BOB, "endless", expires_at=None)
    theirs.token(demo_gateway, "carol@example.com", "over", expires_at=NOW - HOUR)
    report = await adopt(gateway, theirs)
    assert found(report, "token", "demo", "carol@example.com").why == "it has expired and there is no refresh token"
    alice = Connected(gateway, provider, demo_gateway)
    assert (await alice.fetch()).status_code == 200
    assert len(alice.refreshes()) == 1
    gateway.clock.advance(days=400)
    assert (await alice.status(BOB))["authorized"]


async def test_nothing_of_latchpins_own_is_written_over(gateway, provider, theirs, demo_gateway):
    await adopt(gateway, theirs, write=True)
    records = gateway.application.services.records
    before = await records.tokens.get(demo_gateway, ALICE)
    theirs.change("DELETE FROM oauth_tokens")
    theirs.token(demo_gateway, ALICE.upper(), "another")
    assert found(await adopt(gateway, theirs), "token", "demo", ALICE).outcome == "there"
    assert await records.tokens.get(demo_gateway, ALICE) == before


async def test_a_token_that_contextforge_goes_on_renewing_is_told(gateway, theirs, demo_gateway):
    await adopt(gateway, theirs)
    assert found(await adopt(gateway, theirs), "token", "demo", ALICE).why == ""
    theirs.change(f"UPDATE oauth_tokens SET updated_at = '{NOW + HOUR:%Y-%m-%d %H:%M:%S}'")
    row = found(await adopt(gateway, theirs), "token", "demo", ALICE)
    assert (row.outcome, row.why) == ("there", "ContextForge has renewed its own token later than Latchpin")
    assert row.remedy.startswith("Stop ContextForge.")


async def test_who_is_out_here_gets_nothing_back_by_another_run(gateway, provider, theirs, demo_gateway):
    await adopt(gateway, theirs)
    await People(gateway.application).end(ALICE, Caller(ADMIN, is_admin=True, via="bearer"), way="command")
    assert found(await adopt(gateway, theirs), "token", "demo", ALICE).why == "its owner is out here"
    assert await gateway.application.services.records.tokens.get(demo_gateway, ALICE) is None


async def test_no_token_follows_a_gateway_that_leads_elsewhere_now(gateway, provider, theirs, demo_gateway):
    admin = gateway.client(ADMIN)
    await adopt(gateway, theirs)
    async with admin:
        bearer = await gateway.bearer(ADMIN, admin=True)
        answer = await admin.put(
            f"{BASE}/gateways/{demo_gateway}", json={"url": "https://evil.example/mcp"}, headers=bearer
        )
        assert answer.status_code == 200, answer.text
    report = await adopt(gateway, theirs)
    assert found(report, "gateway", "demo").outcome == "there"
    assert found(report, "token", "demo", ALICE).why == "the gateway here has another URL or auth_type"
    assert found(report, "client", "demo", provider.accounts.issuer).outcome == "left out"
    assert await gateway.application.services.records.tokens.list() == []


async def test_no_token_goes_to_another_server_than_the_one_that_issued_it(gateway, provider, theirs, demo_gateway):
    theirs.token(demo_gateway, BOB, "theirs", "refreshes", learned_iss="https://other.example")
    report = await adopt(gateway, theirs)
    assert "https://other.example issued it" in found(report, "token", "demo", BOB).why
    theirs.change("UPDATE gateways SET oauth_config = replace(oauth_config, 'issuer', 'old_issuer')")
    await gateway.application.services.records.gateways.delete(demo_gateway)
    theirs.change("UPDATE registered_oauth_clients SET issuer = 'https://other.example'")
    report = await adopt(gateway, theirs)
    assert found(report, "client", "demo", "https://other.example").outcome == "left out"
    assert found(report, "token", "demo", ALICE).outcome == "left out"


async def test_tokens_of_a_client_that_does_not_act_here_are_left_out(gateway, provider, theirs, demo_gateway):
    theirs.change("DELETE FROM oauth_tokens")
    await adopt(gateway, theirs)
    theirs.change("UPDATE registered_oauth_clients SET client_id = 'another'")
    theirs.change("UPDATE gateways SET oauth_config = json_set(oauth_config, '$.client_id', 'another')")
    theirs.token(demo_gateway, ALICE, "access", "refresh")
    report = await adopt(gateway, theirs)
    client = found(report, "client", "demo", provider.accounts.issuer)
    assert client.why == "Latchpin has registered another client there"
    assert "it was issued to another client" in found(report, "token", "demo", ALICE).why


async def test_an_issuer_that_lost_its_slash_there_is_found_here(gateway, theirs):
    with start_sdk_provider(slash=True) as sdk:
        config = {"issuer": sdk.issuer.rstrip("/"), "client_id": "c", "resource": sdk.mcp_url}
        id_ = theirs.gateway("sdk", sdk.mcp_url, auth_type="oauth", oauth_config=config)
        theirs.client(id_, sdk.issuer.rstrip("/"), "c", "s")
        theirs.token(id_, ALICE, "access", "refresh", learned_iss=sdk.issuer.rstrip("/"))
        report = await adopt(gateway, theirs)
    assert report.left_out == []
    assert (await gateway.application.services.records.tokens.get(id_, ALICE)).issuer == sdk.issuer
    client = found(report, "client", "sdk", sdk.issuer.rstrip("/"))
    assert "the next authorization registers another client" in client.why
    assert "BASE_URL" in client.remedy


async def test_what_a_server_that_is_away_left_open_is_taken_over_the_next_time(
    gateway, provider, theirs, demo_gateway
):
    provider.arm("metadata", status(503))
    report = await adopt(gateway, theirs)
    kept = found(report, "gateway", "demo")
    assert (kept.outcome, kept.why.startswith("its authorization server is not found")) == ("new", True)
    token = found(report, "token", "demo", ALICE)
    assert token.why.startswith("its authorization server is not found")
    assert token.remedy.endswith("Then run it again.")
    provider.heal()
    report = await adopt(gateway, theirs)
    assert found(report, "token", "demo", ALICE).outcome == "new"
    assert (await Connected(gateway, provider, demo_gateway).fetch()).status_code == 200


ODD = {
    "is damaged": "!v2:{}",
    "looks like it": "!v2:none",
    "parameter m is out of bounds": "!" + seal("x", m=2**31),
    "parameter t is out of bounds": "!" + seal("x", t=True),
    "Argon2id does not take its parameters": "!" + seal("x", salt="eA=="),
    "another AUTH_ENCRYPTION_SECRET": "!" + seal("x", "another"),
    "before 1.0": "!gAAAAABh" + "x" * 80,
    "characters that no token can have": "two words",
    "characters that no token can have ": "line\r\nInjected: yes",
}


@pytest.mark.parametrize("why", ODD)
async def test_a_token_that_does_not_open_is_left_out_and_not_shown(gateway, theirs, demo_gateway, why):
    theirs.token(demo_gateway, BOB, ODD[why])
    report = await adopt(gateway, theirs)
    row = found(report, "token", "demo", BOB)
    assert (row.outcome, why.strip() in row.why) == ("left out", True), row.why
    assert found(report, "token", "demo", ALICE).outcome == "new"
    assert "x" * 20 not in str(report.describe())
    assert "Injected" not in str(report.describe())


async def test_a_token_that_was_never_sealed_is_taken_as_it_is(gateway, theirs, demo_gateway):
    theirs.token(demo_gateway, BOB, "!plain")
    await adopt(gateway, theirs)
    application = gateway.application
    stored = await application.services.records.tokens.get(demo_gateway, BOB)
    assert "plain" not in stored.access_token


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("ended@example.com", "deactivated"),
        ("stranger@example.com", "may not use"),
        ("nobody", "no address that Latchpin takes"),
        ("a@b@example.com", "no address that Latchpin takes"),
    ],
)
async def test_a_token_of_somebody_who_may_not_use_it_is_left_out(gateway, theirs, demo_gateway, email, why):
    theirs.change("UPDATE gateways SET visibility = 'team', team_id = 't'")
    for each in (ALICE, "ended@example.com"):
        theirs.person(each, active=each == ALICE, team="t")
    theirs.token(demo_gateway, email, "access", "refresh")
    report = await adopt(gateway, theirs)
    assert why in found(report, "token", "demo", email).why
    kept = await gateway.application.services.records.gateways.get(demo_gateway)
    assert kept.allowed_users == (ALICE,)


@pytest.mark.parametrize(
    "columns",
    [
        {"visibility": "team", "team_id": "empty"},
        {"visibility": "team"},
        {"visibility": "private"},
        {"visibility": "private", "owner_email": "ended@example.com"},
        {"visibility": "something new"},
    ],
)
async def test_what_nobody_may_use_there_is_not_everybodys_here(gateway, theirs, columns):
    theirs.person("ended@example.com", active=False, team="empty")
    theirs.gateway("closed", MCP, **columns)
    report = await adopt(gateway, theirs)
    assert "nobody is left who may use it" in found(report, "gateway", "closed").why
    assert await gateway.application.services.records.gateways.list() == []


LEFT = {
    "switched off": {"enabled": False},
    "reached by SSE": {"transport": "SSE"},
    "goes into the URL": {"auth_type": "query_param", "auth_query_params": {"key": "sealed"}},
    "client certificate of its own": {"ca_certificate": "PEM"},
    "2 header fields": {"auth_type": "authheaders", "auth_value": seal_headers({"X-A": "1", "X-B": "2"})},
    "does not open": {"auth_type": "bearer", "auth_value": seal_headers({"Authorization": "Bearer x"}, "another")},
    "no header field is in it": {"auth_type": "bearer", "auth_value": None},
    "the grant 'password'": {"auth_type": "oauth", "oauth_config": {"grant_type": "password"}},
    "Latchpin does not take its entry": {"url": "ftp://mcp.invalid/"},
    "its secret does not open": {
        "auth_type": "oauth",
        "oauth_config": {"client_id": "c", "client_secret": seal("s", "another")},
    },
}


@pytest.mark.parametrize("why", LEFT)
async def test_a_gateway_that_cannot_be_the_same_here_is_left_out_with_what_helps(gateway, theirs, why):
    id_ = theirs.gateway("odd", **{"url": MCP, **LEFT[why]})
    theirs.token(id_, ALICE, "access")
    report = await adopt(gateway, theirs)
    row = found(report, "gateway", "odd")
    assert (row.outcome, why in row.why) == ("left out", True), row.why
    assert row.remedy
    assert found(report, "token", "odd", ALICE).why.startswith("its gateway is left out: ")
    assert await gateway.application.services.records.gateways.list() == []


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"Authorization": "Bearer the-key"}, ("Authorization", "Bearer ", "the-key")),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, ("Authorization", "Basic ", "dXNlcjpwYXNz")),
        ({"X-Api-Key": "two words"}, ("X-Api-Key", "", "two words")),
    ],
)
async def test_the_key_of_all_goes_on_being_sent_where_it_was(gateway, theirs, fields, sent):
    id_ = theirs.gateway("keyed", MCP, auth_type="authheaders", auth_value=seal_headers(fields))
    report = await adopt(gateway, theirs)
    assert [row.outcome for row in report.rows] == ["new", "new"]
    kept = await gateway.application.services.records.gateways.get(id_)
    assert kept.connection == "shared"
    stored = await gateway.application.services.records.tokens.get(id_, COMPANY)
    usable = await gateway.application.tokens.usable(kept, stored, Caller(ALICE, via="test"))
    assert (kept.api_key.header, kept.api_key.prefix, usable.access_token) == sent
    assert {row.outcome for row in (await adopt(gateway, theirs)).rows} == {"there"}


async def test_an_entered_client_keeps_its_secret_and_its_way_of_sending_it(gateway, theirs):
    config = {
        "client_id": "c",
        "client_secret": seal("the secret"),
        "authorization_url": "https://as.invalid/authorize",
        "token_url": "https://as.invalid/token",
        "resource": "urn:theirs",
        "audience": "api",
        "custom": "unknown",
    }
    id_ = theirs.gateway("entered", MCP, auth_type="oauth", oauth_config=config, passthrough_headers=["X-A"])
    theirs.token(id_, ALICE, "access", "refresh")
    report = await adopt(gateway, theirs)
    assert report.left_out == []
    assert "without custom" in found(report, "gateway", "entered").why
    assert "passes on" in found(report, "gateway", "entered").why
    kept = await gateway.application.services.records.gateways.get(id_)
    assert (kept.oauth.client_id, kept.oauth.token_endpoint_auth_method) == ("c", "client_secret_post")
    assert (kept.oauth.audience, kept.oauth.resource, kept.oauth.provider) == ("api", "urn:theirs", None)
    stored = await gateway.application.services.records.tokens.get(id_, ALICE)
    assert (stored.issuer, stored.client_id, stored.resource) == (None, "c", "urn:theirs")
    changed = theirs.gateway("elsewhere", MCP, auth_type="oauth", oauth_config=config)
    await adopt(gateway, theirs)
    theirs.change(
        f"UPDATE gateways SET oauth_config = json_set(oauth_config, '$.token_url', 'https://b.invalid/') "
        f"WHERE id = '{changed}'"
    )
    theirs.token(changed, ALICE, "access", "refresh")
    assert "another server here" in found(await adopt(gateway, theirs), "token", "elsewhere", ALICE).why


async def test_the_wrong_secret_stops_it_before_anything_is_written(theirs, demo_gateway):
    with pytest.raises(SourceUnreadable, match="opens none of the first") as caught:
        await check_secret(read_source(parse_source_url(theirs.url)), Opener("wrong"))
    assert "AUTH_ENCRYPTION_SECRET" in caught.value.remedy


async def test_what_has_no_gateway_and_what_is_no_gateways_is_told(gateway, theirs):
    theirs.token("0" * 32, ALICE, "access")
    theirs.gateway("plain", MCP)
    theirs.virtual_server()
    report = await adopt(gateway, theirs)
    assert found(report, "token", "0" * 32, ALICE).why == "ContextForge has no such gateway any more"
    assert report.notes == ("Virtual servers (1) are not taken over. Make sets of the gateways: latchpin sets create.",)


async def test_a_store_that_fails_ends_it_and_the_next_run_goes_on(gateway, theirs, demo_gateway, monkeypatch):
    theirs.token(demo_gateway, BOB, "access", "refresh")
    tokens = gateway.application.services.records.tokens
    put, kept = tokens.put, []

    async def fail_once(token, *, replacing):
        if kept:
            raise BackendUnavailable("gone")
        kept.append(token)
        await put(token, replacing=replacing)

    with monkeypatch.context() as failing:
        failing.setattr(tokens, "put", fail_once)
        with pytest.raises(BackendUnavailable):
            await adopt(gateway, theirs)
    report = await adopt(gateway, theirs)
    assert sorted(row.outcome for row in report.rows) == ["new", "there", "there", "there"]
