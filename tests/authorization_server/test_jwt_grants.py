"""A company's word gives tokens: ID-JAGs of its identity provider (RFC 7523), and its own tokens (RFC 8693)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from latchpin.sdk.identity import end_everything_of
from latchpin.sdk.oauth import base64url
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.issuers import Issuers
from latchpin_authorization_server.random_secrets import hash_secret
from latchpin_authorization_server.server import open_server

from tests.authorization_server.conftest import StockClient
from tests.providers.identity_provider import IdentityProvider, start_identity_provider
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TYPE = "oauth-id-jag+jwt"
AUDIENCE = "https://mcp.example.com"
SERVICE, SECRET = "wiki", "the-secret-of-the-wiki"


@pytest.fixture
def idp(environment: pytest.MonkeyPatch) -> Iterator[IdentityProvider]:
    """The company's identity provider, which the gateway trusts in both ways."""
    with start_identity_provider() as provider:
        environment.setenv("ID_JAG_ISSUERS", json.dumps({provider.issuer: f"{provider.issuer}/keys"}))
        environment.setenv("JWT_JWKS_URL", f"{provider.issuer}/keys")
        environment.setenv("JWT_ISSUER", provider.issuer)
        environment.setenv("JWT_AUDIENCE", AUDIENCE)
        yield provider


@dataclass
class Application(StockClient):
    """An application of the company that an administrator entered."""

    http: httpx.AsyncClient
    mcp_url: str
    idp: IdentityProvider
    gateway: InnerGateway

    def __post_init__(self) -> None:
        super().__init__(self.http, self.mcp_url)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.gateway.clock().timestamp())
        said = {
            "iss": self.idp.issuer,
            "aud": BASE,
            "sub": "00u1",
            "email": ALICE,
            "client_id": SERVICE,
            "resource": self.mcp_url,
            "jti": "one",
            "iat": now,
            "exp": now + 300,
        }
        return {name: value for name, value in (said | changes).items() if value is not None}

    async def bring(self, assertion: str, **fields: str) -> httpx.Response:
        return await self.token(**{"grant_type": JWT_BEARER, "assertion": assertion} | fields)

    async def vouched(self, *, typ: str = TYPE, fields: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
        return await self.bring(self.idp.sign(self.claims(**changes), typ=typ), **fields or {})

    async def exchange(self, changes: dict[str, Any] | None = None, **fields: str) -> httpx.Response:
        said = self.claims(aud=AUDIENCE, client_id=None, resource=None, jti=None, **changes or {})
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": self.idp.sign(said), "subject_token_type": ACCESS_TOKEN}
        return await self.token(**form | fields)


@pytest.fixture
async def application(idp: IdentityProvider, gateway: InnerGateway, files: Any) -> AsyncIterator[Application]:
    gateway.clock.stop()
    await enter(gateway, SERVICE)
    async with gateway.client(None) as http:
        opened = Application(http, files.url, idp, gateway)
        await opened.discover()
        opened.client = {"client_id": SERVICE, "client_secret": SECRET}
        yield opened


async def enter(gateway: InnerGateway, client_id: str, **changes: Any) -> None:
    server = await open_server(gateway.application.services.context)
    said: dict[str, Any] = {
        "grant_types": (JWT_BEARER, TOKEN_EXCHANGE),
        "auth_method": "client_secret_basic",
        "secret_hash": hash_secret(SECRET),
    }
    client = Client(client_id, "Wiki", **{"source": "entered", **said, **changes})
    await server.client_records.put(StoredClient(client, gateway.clock()))


def error_of(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    found: str = response.json()["error"]
    return found


def given(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.raise_for_status().json()
    assert "refresh_token" not in found
    return found


# -- ID-JAG ------------------------------------------------------------------------------------------------


async def test_an_assertion_gives_a_token_for_the_endpoint_that_it_names(application: Application):
    assert JWT_BEARER in application.metadata["grant_types_supported"]
    assert application.metadata["authorization_grant_profiles_supported"] == [
        "urn:ietf:params:oauth:grant-profile:id-jag"
    ]
    token = given(await application.vouched())
    said = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (said["sub"], said["aud"], said["client_id"]) == (ALICE, application.mcp_url, SERVICE)
    answered = await application.call(token["access_token"])
    assert "access token was refused" not in answered.text


async def test_odd_names_are_used_up_like_others(application: Application):
    assert (await application.vouched(jti="\ud800")).status_code == 200
    assert error_of(await application.vouched(jti="\ud800")) == "invalid_grant"


async def test_an_assertion_is_good_once(application: Application):
    assert (await application.vouched()).status_code == 200
    assert error_of(await application.vouched()) == "invalid_grant"
    assert (await application.vouched(jti="two")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://other.example.com"}, "invalid_grant"),
        ({"aud": [BASE, "https://other.example.com"]}, "invalid_grant"),
        ({"aud": None}, "invalid_grant"),
        ({"iss": "https://other.example.com"}, "invalid_grant"),
        ({"iss": None}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_grant"),
        ({"client_id": None}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": 4_000_000_000}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"nbf": 4_000_000_000}, "invalid_grant"),
        ({"iat": None}, "invalid_grant"),
        ({"jti": None}, "invalid_grant"),
        ({"jti": 7}, "invalid_grant"),
        ({"jti": "x" * 1001}, "invalid_grant"),
        ({"email": None}, "invalid_grant"),
        ({"email": "no address"}, "invalid_grant"),
        ({"email_verified": False}, "invalid_grant"),
        ({"typ": "JWT"}, "invalid_grant"),
        ({"typ": "at+jwt"}, "invalid_grant"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://other.example.com/mcp"}, "invalid_target"),
        ({"resource": [7]}, "invalid_target"),
        ({"scope": "files.read"}, "invalid_scope"),
    ],
)
async def test_what_is_not_meant_for_this_gives_nothing(application: Application, changes, error):
    assert error_of(await application.vouched(**changes)) == error


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "application/OAUTH-ID-JAG+jwt"},
        {"scope": "mcp"},
        {"email": None, "sub": ALICE},
        {"email_verified": True},
    ],
)
async def test_what_is_meant_for_it_in_other_words(application: Application, changes):
    given(await application.vouched(**changes))


async def test_of_several_endpoints_the_request_says_which(application: Application):
    several = [application.mcp_url, "https://other.example.com/mcp"]
    assert (await application.vouched(resource=several)).status_code == 200
    other = {"resource": "https://third.example.com/mcp"}
    assert error_of(await application.vouched(resource=several, jti="2", fields=other)) == "invalid_target"


async def test_an_endpoint_that_is_not_here_gets_no_token(application: Application):
    nowhere = f"{BASE}/gateways/{'0' * 32}/mcp"
    refused = await application.vouched(resource=nowhere, fields={"resource": nowhere})
    assert error_of(refused) == "invalid_target"


async def test_signatures_of_others_and_none_give_nothing(application: Application):
    claims = application.claims()
    stranger = IdentityProvider(application.idp.issuer)
    head, body, signature = application.idp.sign(claims, typ=TYPE).split(".")
    forged = base64url.encode(json.dumps(claims | {"email": "mallory@example.com"}).encode())
    for text in (
        stranger.sign(claims, typ=TYPE),
        jwt.encode(claims, None, algorithm="none", headers={"kid": "one", "typ": TYPE}),
        jwt.encode(claims, "k" * 64, algorithm="HS256", headers={"kid": "one", "typ": TYPE}),
        application.idp.sign(claims, typ=TYPE, kid="two"),
        f"{head}.{forged}.{signature}",
        f"{head}.{body}.",
        "x",
        "a.b.c",
        "x" * 100_001,
    ):
        assert error_of(await application.bring(text)) in {"invalid_grant", "invalid_request"}


async def test_a_public_client_gets_nothing_by_an_assertion(application: Application):
    await enter(application.gateway, "public", auth_method="none", secret_hash="")
    application.client = {"client_id": "public"}
    assert error_of(await application.vouched(client_id="public")) == "unauthorized_client"


async def test_another_clients_assertion_gives_nothing(application: Application):
    await enter(application.gateway, "chat")
    application.client = {"client_id": "chat", "client_secret": SECRET}
    assert error_of(await application.vouched()) == "invalid_grant"


async def test_who_was_signed_out_everywhere_is_not_let_in_by_an_earlier_assertion(application: Application):
    assertion = application.idp.sign(application.claims(), typ=TYPE)
    clock = application.gateway.clock
    clock.advance(seconds=2)
    await end_everything_of(application.gateway.application.services.kept, ALICE, clock())
    clock.advance(minutes=1)
    assert error_of(await application.bring(assertion)) == "invalid_grant"
    given(await application.vouched(jti="two"))


async def test_keys_that_cannot_be_fetched_are_no_refusal(application: Application, monkeypatch):
    server = await open_server(application.gateway.application.services.context)
    monkeypatch.setattr(server, "id_jag_issuers", unreachable(application))
    answered = await application.vouched()
    assert (answered.status_code, answered.json()["error"]) == (503, "temporarily_unavailable")


def unreachable(application: Application) -> Issuers:
    context = application.gateway.application.services.context
    return Issuers({application.idp.issuer: "http://127.0.0.1:1/keys"}, context, name="ID_JAG_ISSUERS")


# -- token exchange ----------------------------------------------------------------------------------------


async def test_a_companys_token_is_exchanged_for_one_of_an_endpoint(application: Application):
    token = given(await application.exchange())
    assert token["issued_token_type"] == ACCESS_TOKEN
    said = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (said["sub"], said["aud"]) == (ALICE, application.mcp_url)


async def test_what_is_given_ends_no_later_than_the_companys_token(application: Application):
    now = int(application.gateway.clock().timestamp())
    token = given(await application.exchange({"exp": now + 90}))
    assert 60 <= token["expires_in"] <= 90
    assert "access token" not in (await application.call(token["access_token"])).text
    application.gateway.clock.advance(seconds=91)
    assert (await application.call(token["access_token"])).status_code == 401


@pytest.mark.parametrize(
    ("claims", "fields", "error"),
    [
        ({"aud": BASE}, {}, "invalid_grant"),
        ({"iss": "https://other.example.com"}, {}, "invalid_grant"),
        ({"exp": 1}, {}, "invalid_grant"),
        ({"email": None}, {}, "invalid_grant"),
        ({"email_verified": False}, {}, "invalid_grant"),
        ({}, {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({}, {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({}, {"actor_token": "x"}, "invalid_request"),
        ({}, {"resource": ""}, "invalid_target"),
        ({}, {"resource": "https://other.example.com"}, "invalid_target"),
        ({}, {"audience": "https://other.example.com"}, "invalid_target"),
        ({}, {"subject_token": ""}, "invalid_request"),
        ({}, {"subject_token": "a.b.c"}, "invalid_grant"),
    ],
)
async def test_what_is_not_exchanged(application: Application, claims, fields, error):
    if "aud" in claims:
        said = application.claims(**claims)
        refused = await application.exchange(None, subject_token=application.idp.sign(said))
    else:
        refused = await application.exchange(claims, **fields)
    assert error_of(refused) == error


@pytest.mark.parametrize(
    "changes", [{"source": "registered"}, {"auth_method": "none", "secret_hash": ""}, {"grant_types": (JWT_BEARER,)}]
)
async def test_only_entered_clients_that_prove_themselves_exchange(application: Application, changes):
    await enter(application.gateway, "other", **changes)
    secret = {} if changes.get("auth_method") == "none" else {"client_secret": SECRET}
    application.client = {"client_id": "other", **secret}
    assert error_of(await application.exchange()) == "unauthorized_client"


# -- nobody is trusted ---------------------------------------------------------------------------------------


async def test_without_issuers_neither_is_there(gateway: InnerGateway, files: Any):
    async with gateway.client(None) as http:
        stock = StockClient(http, files.url)
        await stock.discover()
        assert not {JWT_BEARER, TOKEN_EXCHANGE} & set(stock.metadata["grant_types_supported"])
        await enter(gateway, SERVICE)
        stock.client = {"client_id": SERVICE, "client_secret": SECRET}
        for grant_type in (JWT_BEARER, TOKEN_EXCHANGE):
            assert error_of(await stock.token(grant_type=grant_type)) == "unsupported_grant_type"
