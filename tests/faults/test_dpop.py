"""Tokens bound to the gateway's own key: proofs at both servers, their nonces, and no binding that would not help."""

from __future__ import annotations

import pytest

from tests.providers import FaultSwitch, faults
from tests.providers.identity_provider import MCP_NONCE, TOKEN_NONCE, KeyBound, bind_tokens
from tests.support.gateway_in_process import ADMIN, ALICE, Connected, InnerGateway, connect, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR = 3550


@pytest.fixture
def bound(provider: FaultSwitch) -> KeyBound:
    return bind_tokens(provider)


async def kept_keys(gateway: InnerGateway) -> list[str]:
    return list(await gateway.application.services.kept.list("key:dpop:"))


async def test_every_request_is_proven_with_one_key_and_a_proof_of_its_own(bound, gateway, provider, log):
    connected = await connect(gateway, provider)
    assert (await connected.fetch()).status_code == 200
    gateway.clock.advance(seconds=NEAR)
    assert (await connected.fetch()).status_code == 200
    assert [form["grant_type"] for form in connected.refreshes()] == ["refresh_token"]
    assert bound.wrong == []
    assert len(bound.proofs["token"]) == 2
    assert len(bound.proofs["mcp"]) >= 4
    assert len(bound.thumbprints) == 1
    stored = await gateway.application.services.records.tokens.get(connected.id, ALICE)
    assert stored is not None
    assert stored.token_type == "DPoP"
    assert not any(token.partition(" ")[2] in log() for token in connected.bearers())


async def test_the_code_is_bound_to_the_key_too(bound, gateway, provider):
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url))
    await connected.authorize()
    asked = [request.query["dpop_jkt"] for request in provider.asked("authorize")]
    assert set(asked) == bound.thumbprints
    assert len(asked) == 1


async def test_where_tokens_are_not_bound_no_key_is_named_and_none_is_made(gateway, provider):
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url))
    await connected.authorize()
    assert ["dpop_jkt" in request.query for request in provider.asked("authorize")] == [False]
    assert await kept_keys(gateway) == []


async def test_each_servers_nonce_is_learnt_and_what_it_refused_sent_again_once(gateway, provider):
    bound = bind_tokens(provider, nonces=True)
    connected = await connect(gateway, provider)
    assert (await connected.fetch()).status_code == 200
    first, second, *more = [asked.body for asked in provider.asked("mcp")]
    assert first == second
    assert first not in more
    gateway.clock.advance(seconds=NEAR)
    assert (await connected.fetch()).status_code == 200
    assert bound.wrong == []
    assert {claims["nonce"] for claims in bound.proofs["token"]} == {TOKEN_NONCE}
    assert {claims["nonce"] for claims in bound.proofs["mcp"]} == {MCP_NONCE}
    assert len(connected.refreshes()) == 1  # the nonce was known by then


async def test_a_code_is_sent_again_only_for_the_nonce_and_only_once(gateway: InnerGateway, provider):
    bound = bind_tokens(provider, nonces=True)
    bound.endless = True
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.status == 502
    codes = [asked.form["code"] for asked in provider.asked("token")]
    assert (len(codes), len(set(codes))) == (2, 1)


async def test_a_server_that_wants_ever_other_nonces_is_not_asked_for_ever(gateway, provider):
    bound = bind_tokens(provider, nonces=True)
    connected = await connect(gateway, provider)
    assert (await connected.fetch()).status_code == 200
    bound.endless = True
    provider.arm("token", faults.changed(token_type="DPoP"))
    provider.forget()
    refused = await connected.fetch()
    assert refused.status_code == 401
    assert len(provider.asked("mcp")) <= 8


@pytest.mark.parametrize(
    ("metadata", "resource", "entry"),
    [
        ({}, {"dpop_bound_access_tokens_required": True}, None),
        ({"dpop_signing_alg_values_supported": ["RS256"]}, {"dpop_bound_access_tokens_required": True}, None),
        ({"dpop_signing_alg_values_supported": ["ES256"]}, {}, None),
        ({"dpop_signing_alg_values_supported": ["ES256"]}, {"dpop_bound_access_tokens_required": True}, False),
    ],
    ids=["resource-only", "other-algorithm", "server-only", "entry-says-no"],
)
async def test_where_one_of_them_does_not_do_it_tokens_are_bearer_tokens(metadata, resource, entry, gateway, provider):
    provider.arm("metadata", faults.changed(**metadata))
    provider.arm("resource-metadata", faults.changed(**resource))
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config={"dpop": entry}))
    await connected.authorize()
    assert (await connected.fetch()).status_code == 200
    assert not any("dpop" in asked.headers for asked in provider.asked())
    assert connected.bearers()[-1].startswith("Bearer ")
    assert await kept_keys(gateway) == []


async def test_a_resources_metadata_is_enough_to_begin(gateway, provider):
    provider.arm("metadata", faults.changed(dpop_signing_alg_values_supported=["ES256"]))
    provider.arm("resource-metadata", faults.changed(dpop_bound_access_tokens_required=True))
    bound = KeyBound(provider)
    provider.arm("token", bound.token)
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url))
    await connected.authorize()
    assert len(bound.proofs["token"]) == 1


async def test_a_server_that_gives_a_bearer_token_after_all_is_believed_unless_the_entry_insists(
    bound, gateway, provider
):
    bound.kind = "Bearer"
    provider.heal("mcp")
    usual = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config={}))
    provider.arm("resource-metadata", faults.changed(dpop_bound_access_tokens_required=True))
    await usual.authorize()
    assert (await usual.fetch()).status_code == 200
    assert usual.bearers()[-1].startswith("Bearer ")
    insists = await gateway.add(provider.provider.mcp_url, oauth_config={"dpop": True})
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, insists))
    assert page.status == 502
    assert "not bound to this gateway" in page.text


async def test_an_unasked_dpop_token_is_refused(gateway, provider):
    provider.arm("token", faults.changed(token_type="DPoP"))
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.status == 502


async def test_each_gateway_has_a_key_of_its_own_sealed_and_gone_with_it(bound, gateway, provider):
    first, second = await connect(gateway, provider), await connect(gateway, provider)
    assert len(bound.thumbprints) == 2
    names = await kept_keys(gateway)
    assert sorted(names) == sorted(f"key:dpop:{each.id}:1" for each in (first, second))
    async with gateway.client(None, **await first.bearer(ADMIN)) as client:
        assert (await client.delete(f"http://localhost:4444/gateways/{first.id}")).status_code == 200
    assert await kept_keys(gateway) == [f"key:dpop:{second.id}:1"]


async def test_the_gateways_own_token_is_bound_too(bound, gateway, provider):
    token = {"access_token": "own-token", "token_type": "DPoP", "expires_in": 3600}
    provider.arm("register", faults.answer({"client_id": "c", "client_secret": "s"}, code=201))
    provider.arm("token", faults.answer(token))
    entry = {"grant_type": "client_credentials"}
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=entry))
    await connected.fetch()
    assert provider.asked("token")[0].headers["dpop"]
    assert connected.bearers()[0] == "DPoP own-token"


async def test_two_workers_share_the_key(environment, provider, tmp_path):
    """Two gateways in one process, on one database, as two workers are."""
    environment.setenv("RECORD_STORE", "database")
    environment.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'latchpin.db'}")
    bound = bind_tokens(provider)
    async with open_gateway() as one:
        connected = await connect(one, provider)
    async with open_gateway() as other:
        again = Connected(other, provider, connected.id)
        assert (await again.fetch()).status_code == 200
    assert bound.wrong == []
    assert len(bound.thumbprints) == 1
