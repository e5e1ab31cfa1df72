"""Enterprise-managed authorization: tokens on an identity provider's word, each user's own, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import time

import jwt
import pytest
from latchpin.identity.assertion_store import AssertionStore
from latchpin.model import IdentityProvider as ServerProfile
from latchpin_enterprise.id_jag import ID_JAG, TOKEN_EXCHANGE

from tests.providers import FaultSwitch, faults
from tests.providers.identity_provider import CLIENT, SECRET, IdentityProvider, start_identity_provider
from tests.support.gateway_in_process import ALICE, BASE, JWT_BEARER, Vouched, vouched_for

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR, OVER = 3550, 3700
"""Seconds after which a token of an hour is about to expire, and has expired."""


@pytest.fixture
def idp():
    with start_identity_provider() as provider:
        yield provider


@pytest.fixture
async def vouched(gateway, provider: FaultSwitch, idp: IdentityProvider) -> Vouched:
    return await vouched_for(gateway, provider, idp)


async def test_an_id_token_becomes_a_grant_and_the_grant_a_token(vouched: Vouched, provider, idp, log):
    token = idp.id_token(ALICE)
    handed = await vouched.hand_in(token)
    assert (handed.status_code, handed.json()["identity_provider"]) == (200, idp.issuer)
    assert idp.asked == []  # nothing is asked before it is needed
    assert (await vouched.fetch()).status_code == 200
    assert idp.asked == [
        {
            "client_id": CLIENT,
            "grant_type": TOKEN_EXCHANGE,
            "requested_token_type": ID_JAG,
            "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "audience": provider.accounts.issuer,
            "resource": provider.provider.mcp_url,
            "scope": "mcp:read",
        }
    ]
    (redeemed,) = vouched.redeemed()
    granted = redeemed.pop("assertion")
    assert jwt.get_unverified_header(granted)["typ"] == "oauth-id-jag+jwt"
    assert redeemed == {
        "client_id": "gateway-at-mcp",
        "grant_type": JWT_BEARER,
        "resource": provider.provider.mcp_url,
        "scope": "mcp:read",
    }
    assert (await vouched.fetch()).status_code == 200
    assert len(idp.asked) == len(vouched.redeemed()) == 1
    status = await vouched.call("GET", "/oauth/status/{id}")
    assert status.json()["user_token_status"]["authorized"]
    assert "nothing to authorize" in status.json()["message"]
    said = log()
    assert not any(secret in said for secret in (token, token[-40:], granted[-40:], SECRET))


async def test_nobody_is_served_by_what_was_said_of_another(vouched: Vouched, idp):
    await vouched.hand_in(idp.id_token(ALICE))
    assert (await vouched.fetch()).status_code == 200
    refused = await vouched.fetch(BOB)
    assert (refused.status_code, refused.json()["cause"]) == (401, "identity-assertion-required")
    assert idp.issuer in refused.json()["detail"]
    assert f"{BASE}/oauth/identity-assertion/{vouched.id}" in refused.json()["remedy"]
    assert "authorize_url" not in refused.json()  # a browser does not help
    assert len(idp.asked) == 1
    taken = await vouched.hand_in(idp.id_token(ALICE), BOB)
    assert taken.status_code == 400
    assert (await vouched.fetch(BOB)).status_code == 401


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"email": BOB}, "email is not alice@example.com"),
        ({"email": None}, "email is not alice@example.com"),
        ({"email_verified": False}, "not verified"),
        ({"iss": "https://elsewhere.example"}, "issuer (iss) is not http"),
        ({"aud": "another-client"}, "audience (aud) is not"),
        ({"aud": ["another-client"]}, "audience (aud) is not"),
        ({"exp": int(time.time()) - 1}, "has expired"),
        ({"exp": None}, "has expired, or does not say"),
        ({"exp": "soon"}, "has expired, or does not say"),
    ],
)
async def test_what_cannot_be_the_callers_own_is_not_taken(change, said, vouched: Vouched, idp):
    token = idp.id_token(ALICE, **change)
    refused = await vouched.hand_in(token)
    assert refused.status_code == 400
    assert said in refused.json()["detail"]
    assert token not in refused.text
    assert (await vouched.hand_in("", method="GET")).json()["expires_at"] is None
    assert (await vouched.fetch()).status_code == 401


@pytest.mark.parametrize("body", [5, None, "", "a.b", "a.b.c", "x" * 20_000, ["a"], "ä.ö.ü"])
async def test_what_is_no_jwt_is_not_taken(body, vouched: Vouched):
    assert (await vouched.hand_in(body)).status_code == 400


async def test_an_earlier_id_token_gives_way_and_is_forgotten_when_told(vouched: Vouched, idp):
    await vouched.hand_in(idp.id_token(ALICE, sub="first"))
    await vouched.hand_in(idp.id_token(ALICE, sub="second"))
    assert (await vouched.fetch()).status_code == 200
    assert jwt.decode(idp.asked[0]["subject_token"], options={"verify_signature": False})["sub"] == "second"
    assert (await vouched.hand_in("", method="DELETE")).status_code == 200
    assert (await vouched.hand_in("", method="DELETE")).status_code == 404
    assert (await vouched.hand_in("", method="GET")).json()["expires_at"] is None


async def test_what_is_kept_opens_for_its_user_only(vouched: Vouched, gateway, idp):
    token = idp.id_token(ALICE)
    await vouched.hand_in(token)
    services, place = gateway.application.services, ServerProfile(idp.issuer, None, CLIENT)
    shelf, now = AssertionStore(services.kept, services.cipher), services.clock()
    (name,) = await services.kept.list("assertion:")
    kept = await services.kept.get(name)
    assert token[-20:] not in kept
    assert (await shelf.get(ALICE, place, now=now)).token == token
    assert await shelf.get(BOB, place, now=now) is None
    assert await shelf.get(ALICE, ServerProfile("https://other.example", None, CLIENT), now=now) is None
    await shelf.put(BOB, place, await shelf.get(ALICE, place, now=now))
    (other,) = [each for each in await services.kept.list("assertion:") if each != name]
    await services.kept.take(other)
    await services.kept.put(other, kept)
    assert await shelf.get(BOB, place, now=now) is None  # copied onto another, it does not open


async def test_it_is_renewed_once_for_all_and_only_while_somebody_vouches(vouched: Vouched, gateway, idp):
    await vouched.hand_in(idp.id_token(ALICE, exp=int(time.time()) + 3595))
    assert (await vouched.fetch()).status_code == 200
    gateway.clock.advance(seconds=NEAR)
    answers = await asyncio.gather(*(vouched.fetch() for _ in range(32)))
    assert [each.status_code for each in answers] == [200] * 32
    assert len(idp.asked) == len(vouched.redeemed()) == 2
    gateway.clock.advance(seconds=NEAR)
    assert (await vouched.fetch()).status_code == 200  # nobody vouches any more, and the token still holds
    gateway.clock.advance(seconds=OVER - NEAR)
    assert (await vouched.fetch()).status_code == 401
    assert len(idp.asked) == 2
    await vouched.hand_in(idp.id_token(ALICE, exp=int(time.time()) + 20_000))
    assert (await vouched.fetch()).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "cause"),
    [
        (faults.oauth_error("access_denied"), 403, "assertion-refused"),
        (faults.oauth_error("invalid_grant"), 403, "assertion-refused"),
        (faults.oauth_error("invalid_client", code=401), 403, "assertion-refused"),
        (faults.status(503), 502, "provider-unreadable"),
        (faults.html(), 502, "provider-unreadable"),
        (faults.answer({"access_token": "a.b.c", "token_type": "Bearer"}), 502, "provider-unreadable"),
        (faults.answer({"issued_token_type": ID_JAG}), 502, "provider-unreadable"),
        (faults.hang(), 504, "provider-timeout"),
    ],
    ids=["policy", "grant", "client", "503", "html", "another-type", "nothing", "hang"],
)
async def test_without_the_providers_grant_nothing_is_redeemed(fault, status, cause, vouched: Vouched, log):
    idp = vouched.idp
    token = idp.id_token(ALICE)
    await vouched.hand_in(token)
    idp.fault = fault
    if status == 504:
        vouched.gateway.allow(seconds=1)
    refused = await vouched.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (status, cause)
    assert vouched.redeemed() == []
    assert token not in refused.text + log()
    assert "Traceback" not in log()
    idp.fault = None
    vouched.gateway.allow(seconds=60)
    assert (await vouched.fetch()).status_code == 200


async def test_a_refused_id_token_is_struck_out_of_the_providers_words(vouched: Vouched, idp, log):
    forged = idp.id_token(ALICE).rpartition(".")[0] + ".c2lnbmF0dXJl"
    await vouched.hand_in(forged)  # its signature is for the provider to judge
    refused = await vouched.fetch()
    assert refused.json()["cause"] == "assertion-refused"
    assert "fresh ID token" in refused.json()["remedy"]
    assert forged not in refused.text + log()


async def test_a_server_that_does_not_trust_the_provider_is_named(vouched: Vouched, provider, idp, log):
    await vouched.hand_in(idp.id_token(ALICE))
    provider.arm("token", faults.oauth_error("invalid_grant", "who is that?"))
    refused = await vouched.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (403, "assertion-refused")
    assert "the authorization server does not accept the assertion" in refused.json()["detail"]
    assert len(vouched.redeemed()) == 1
    assert "Traceback" not in log()
    provider.arm("token", faults.oauth_error("invalid_scope"))
    assert (await vouched.fetch()).json()["cause"] == "token-invalid-scope"


async def test_a_token_that_the_mcp_server_refuses_is_asked_for_anew_once(vouched: Vouched, gateway, provider, idp):
    await vouched.hand_in(idp.id_token(ALICE))
    assert (await vouched.fetch()).status_code == 200
    provider.accounts.ledger._access.clear()
    assert (await vouched.fetch()).status_code == 200
    assert len(idp.asked) == 2
    provider.arm("mcp", faults.status(401, www_authenticate="Bearer"))
    for seconds, asked in ((0, 2), (61, 3)):  # within a minute, another one would not help either
        gateway.clock.advance(seconds=seconds)
        refused = await vouched.fetch()
        assert (refused.status_code, refused.json()["cause"]) == (502, "access-refused")
        assert len(idp.asked) == asked


async def test_nothing_is_to_authorize_and_nothing_to_hand_in_elsewhere(vouched: Vouched, gateway, provider, idp):
    async with gateway.browser() as browser:
        assert (await browser.open(f"{BASE}/oauth/authorize/{vouched.id}")).status == 400
    usual = await gateway.add(provider.provider.mcp_url)
    elsewhere = Vouched(gateway, provider, usual, idp)
    assert (await elsewhere.hand_in(idp.id_token(ALICE))).status_code == 400


@pytest.fixture
def company(environment: pytest.MonkeyPatch, idp: IdentityProvider) -> None:
    """Callers come with the identity provider's own tokens, and it vouches wherever an entry names nobody else."""
    environment.setenv("JWT_JWKS_URL", f"{idp.issuer}/keys")
    environment.setenv("JWT_ISSUER", idp.issuer)
    environment.setenv("JWT_AUDIENCE", CLIENT)
    environment.setenv("IDENTITY_PROVIDER", idp.issuer)
    environment.setenv("IDENTITY_PROVIDER_CLIENT_ID", CLIENT)
    environment.setenv("IDENTITY_PROVIDER_CLIENT_SECRET", SECRET)


async def test_the_callers_own_bearer_token_serves_and_is_not_kept(company, gateway, provider, idp):
    named = ("identity_provider", "identity_provider_client_id", "identity_provider_client_secret")
    vouched = await vouched_for(gateway, provider, idp, **dict.fromkeys(named))
    token = idp.id_token(ALICE)
    assert (await vouched.tools(token)).status_code == 200
    assert idp.asked[0]["subject_token"] == token
    services = gateway.application.services
    assert await services.records.tokens.get(vouched.id, ALICE) is not None
    assert not await services.kept.list("assertion:")
    assert (await vouched.tools(idp.id_token(BOB))).status_code == 200
    assert [token in json.dumps(asked) for asked in idp.asked] == [True, False]
    assert (await vouched.tools(idp.id_token(ALICE, email=BOB, email_verified=False))).status_code == 401


async def test_another_issuers_bearer_token_is_not_shown_to_the_identity_provider(company, gateway, provider, idp):
    """Callers come with one company's tokens, and an entry names another's identity provider."""
    with start_identity_provider() as other:
        vouched = await vouched_for(gateway, provider, other)
        refused = await vouched.tools(idp.id_token(ALICE))
        assert (refused.status_code, refused.json()["cause"]) == (401, "identity-assertion-required")
        assert other.asked == []
        async with gateway.client(None, Authorization=f"Bearer {idp.id_token(ALICE)}") as client:
            body = {"id_token": other.id_token(ALICE)}
            assert (await client.put(f"{BASE}/oauth/identity-assertion/{vouched.id}", json=body)).status_code == 200
        assert (await vouched.tools(idp.id_token(ALICE))).status_code == 200
        assert [asked["subject_token"] for asked in other.asked] == [body["id_token"]]
    assert idp.asked == []


async def test_an_identity_provider_without_metadata_is_named_until_its_endpoint_is_entered(gateway, provider, idp):
    for name, url in (("idp", None), ("entered", f"{idp.issuer}/token")):
        vouched = await vouched_for(
            gateway, provider, idp, identity_provider=f"{idp.issuer}/{name}", identity_provider_token_url=url
        )
        vouched.idp.issuer, issuer = f"{idp.issuer}/{name}", idp.issuer
        token = idp.id_token(ALICE)
        idp.issuer = issuer
        await vouched.hand_in(token)
        answer = await vouched.fetch()
        found = (answer.status_code, answer.json().get("cause"))
        assert found == ((502, "discovery-failed") if url is None else (200, None))
    assert len(idp.asked) == 1
