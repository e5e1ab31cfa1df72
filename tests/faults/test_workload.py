"""Workload identity federation: a gateway's own token, on the word of the platform that it runs on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.providers import FaultSwitch, faults
from tests.providers.identity_provider import IdentityProvider, redeeming, start_identity_provider
from tests.support.gateway_in_process import ALICE, JWT_BEARER, Connected, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_enterprise", "latchpin_memory_store")

BOB = "bob@example.com"
NEAR, OVER = 3550, 3700


@pytest.fixture
def platform(provider: FaultSwitch):
    """It signs JWTs as an identity provider does, and the authorization server trusts it."""
    with start_identity_provider() as found:
        issuer, url = provider.accounts.issuer, provider.provider.mcp_url
        provider.arm("token", redeeming(found, provider.accounts.ledger, issuer=issuer, resource=url))
        yield found


@pytest.fixture
def folder(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tokens"
    place.mkdir()
    environment.setenv("ASSERTION_FOLDER", str(place))
    return place


def workload_jwt(platform: IdentityProvider, provider: FaultSwitch, number: int, lifetime: int = 10_000) -> str:
    claims = {
        "iss": platform.issuer,
        "sub": "system:serviceaccount:tools:gateway",
        "aud": provider.accounts.issuer,
        "exp": int(time.time()) + lifetime,
        "jti": str(number),
        "client_id": platform.client_of,
        "resource": provider.provider.mcp_url,
    }
    return platform.sign(claims)


async def with_file(gateway, provider: FaultSwitch) -> Connected:
    config = {"grant_type": JWT_BEARER, "client_id": "gateway-at-mcp", "assertion_file": "mcp-token"}
    return Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))


def shown(provider: FaultSwitch) -> list[str]:
    return [asked.form["assertion"] for asked in provider.asked("token")]


async def test_the_file_is_read_anew_for_each_token_and_one_token_serves_all(folder, gateway, provider, platform, log):
    first, second = (workload_jwt(platform, provider, number) for number in (1, 2))
    (folder / "mcp-token").write_text(first + "\n")
    connected = await with_file(gateway, provider)
    assert [(await connected.fetch(email)).status_code for email in (ALICE, BOB)] == [200, 200]
    (asked,) = provider.asked("token")
    assert asked.form["grant_type"] == JWT_BEARER
    assert asked.form["client_id"] == "gateway-at-mcp"
    (folder / "mcp-token").write_text(second)
    gateway.clock.advance(seconds=NEAR)
    assert (await connected.fetch()).status_code == 200
    assert shown(provider) == [first, second]
    status = await connected.call("GET", "/oauth/status/{id}")
    assert status.json()["message"] == "Gateway authorizes itself with its workload's JWT"
    assert not any(secret[-40:] in log() for secret in (first, second))


@pytest.mark.parametrize(
    "case",
    [
        (None, "cannot be read: No such file"),
        ("", "holds no JWT"),
        ("root:x:0:0:root:/root:/bin/bash", "holds no JWT"),
        ("a.b.c", "holds no JWT"),
        ("ä", "it is not ASCII text"),
        ("expired", "expired at 20"),
        ("x" * 40_000, "holds no JWT"),
    ],
)
async def test_what_is_no_living_jwt_is_not_sent(case, folder, gateway, provider, platform):
    content, said = case
    if content is not None:
        text = workload_jwt(platform, provider, 1, lifetime=-1) if content == "expired" else content
        (folder / "mcp-token").write_text(text, encoding="utf-8")
    refused = await (await with_file(gateway, provider)).fetch()
    assert (refused.status_code, refused.json()["cause"]) == (503, "assertion-unusable")
    assert provider.asked("token") == []
    detail = str((await gateway_detail(gateway, provider)).detail)
    assert said in detail
    assert content in {None, "", "expired"} or content not in detail


async def gateway_detail(gateway, provider):
    from latchpin.model import Caller
    from latchpin_enterprise.errors import AssertionUnusable

    (one,) = await gateway.application.services.records.gateways.list()
    with pytest.raises(AssertionUnusable) as caught:
        await gateway.application.tokens.token_for(one, Caller(ALICE))
    return caught.value


async def test_a_refused_jwt_is_not_tried_again_in_another_way(folder, gateway, provider, platform):
    (folder / "mcp-token").write_text(workload_jwt(platform, provider, 1))
    connected = await with_file(gateway, provider)
    provider.arm("token", faults.oauth_error("invalid_grant"))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (403, "assertion-refused")
    provider.arm("token", faults.oauth_error("unauthorized_client"))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (502, "token-unauthorized-client")
    assert [asked.form["grant_type"] for asked in provider.asked("token")] == [JWT_BEARER] * 2


async def test_a_jwt_may_be_entered_and_is_sealed(gateway, provider, platform):
    text = workload_jwt(platform, provider, 1)
    config = {"grant_type": JWT_BEARER, "client_id": "gateway-at-mcp", "assertion": text}
    connected = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url, oauth_config=config))
    assert (await connected.fetch()).status_code == 200
    assert shown(provider) == [text]
    kept = await gateway.application.services.records.gateways.get(connected.id)
    assert kept is not None
    assert text not in str(kept.oauth)


async def test_a_token_that_no_key_opens_any_more_is_asked_for_again(folder, environment, provider, platform, tmp_path):
    environment.setenv("RECORD_STORE", "database")
    environment.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'latchpin.db'}")
    (folder / "mcp-token").write_text(workload_jwt(platform, provider, 1))
    async with open_gateway() as gateway:
        connected = await with_file(gateway, provider)
        assert (await connected.fetch()).status_code == 200
    environment.setenv("AUTH_ENCRYPTION_SECRET", "another-secret-of-the-tests-with-enough-characters")
    (folder / "mcp-token").write_text(workload_jwt(platform, provider, 2))
    async with open_gateway() as gateway:
        assert (await Connected(gateway, provider, connected.id).fetch()).status_code == 200
    assert len(shown(provider)) == 2
