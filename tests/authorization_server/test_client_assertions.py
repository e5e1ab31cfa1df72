"""Clients that sign assertions: proven by the keys of their document, once for each assertion."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from latchpin.sdk.oauth import base64url
from latchpin_authorization_server.clients.assertions import ASSERTION_TYPE

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import BASE, InnerGateway
from tests.support.http_servers import Page, Site, open_site

JSON = {"Content-Type": "application/json"}


def make_key(name: str = "1") -> tuple[ec.EllipticCurvePrivateKey, dict[str, Any]]:
    """A private key, and what is published of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(ECAlgorithm(ECAlgorithm.SHA256).to_jwk(key.public_key()))
    return key, public | {"kid": name, "alg": "ES256", "use": "sig"}


KEY, PUBLIC = make_key()


def publish(site: Site, **more: Any) -> None:
    client_id = f"{site.url}/client.json"
    said = {
        "client_id": client_id,
        "client_name": "Robot",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
    }
    site.pages["GET /client.json"] = Page(said | more, 200, JSON)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        publish(opened, jwks={"keys": [PUBLIC]})
        yield opened


@pytest.fixture
async def robot(stock: StockClient, site: Site) -> StockClient:
    await stock.discover()
    stock.client = {"client_id": f"{site.url}/client.json"}
    return stock


def claims(gateway: InnerGateway, robot: StockClient, **changes: Any) -> dict[str, Any]:
    now, client_id = int(gateway.clock().timestamp()), robot.client["client_id"]
    said = {"iss": client_id, "sub": client_id, "aud": BASE, "exp": now + 60, "iat": now, "jti": secrets.token_hex(8)}
    return {name: value for name, value in (said | changes).items() if value is not None}


def sign(said: dict[str, Any], key: Any = KEY, algorithm: str = "ES256", kid: str = "1") -> str:
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid})


def confuse(said: dict[str, Any]) -> str:
    """Signed with the public key as if it were a secret."""
    header, payload = (base64url.encode(json.dumps(each).encode()) for each in ({"alg": "HS256", "kid": "1"}, said))
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signature = hmac.digest(pem, f"{header}.{payload}".encode(), "sha256")
    return f"{header}.{payload}.{base64url.encode(signature)}"


async def redeem(robot: StockClient, code: str, assertion: str, **changes: str) -> httpx.Response:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return await robot.redeem(code, **(proof | changes))


async def test_it_gets_tokens_by_what_it_signs(gateway: InnerGateway, robot: StockClient, browser):
    code = answer_of(await robot.visit(browser))["code"]
    answer = await redeem(robot, code, sign(claims(gateway, robot)))
    assert answer.status_code == 200, answer.text
    said = sign(claims(gateway, robot, aud=[f"{BASE}/oauth2/token"]))
    form = {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": said}
    without_id = await robot.http.post(f"{BASE}/oauth2/token", data=form | proof)
    assert without_id.status_code == 200, without_id.text


async def test_its_keys_are_fetched_from_where_it_publishes_them(
    gateway: InnerGateway, robot: StockClient, browser, site: Site
):
    publish(site, jwks_uri=f"{site.url}/keys.json")
    site.pages["GET /keys.json"] = Page({"keys": [PUBLIC]}, 200, JSON)
    code = answer_of(await robot.visit(browser))["code"]
    assert (await redeem(robot, code, sign(claims(gateway, robot)))).status_code == 200
    assert "GET /keys.json" in site.asked


async def test_an_assertion_is_good_once(gateway: InnerGateway, robot: StockClient, browser):
    assertion = sign(claims(gateway, robot))
    code = answer_of(await robot.visit(browser))["code"]
    assert (await redeem(robot, code, assertion)).status_code == 200
    again = await redeem(robot, answer_of(await robot.visit(browser))["code"], assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "used before" in again.json()["error_description"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"aud": "https://other.example"}, "audience"),
        ({"iss": "https://other.example/client.json"}, "issuer"),
        ({"sub": "https://other.example/client.json"}, "somebody else"),
        ({"exp": 1}, "expired"),
        ({"exp": 10**10}, "minutes from now"),
        ({"exp": None}, "missing"),
        ({"jti": None}, "no jti"),
        ({"jti": 7}, "malformed"),
        ({"nbf": 10**10}, "not valid yet"),
    ],
)
async def test_what_does_not_hold_proves_nothing(
    gateway: InnerGateway, robot: StockClient, browser, changes: Mapping[str, Any], problem: str
):
    code = answer_of(await robot.visit(browser))["code"]
    answer = await redeem(robot, code, sign(claims(gateway, robot, **changes)))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert problem in answer.json()["error_description"]


async def test_no_other_key_and_no_other_way_proves_it(gateway: InnerGateway, robot: StockClient, browser):
    code = answer_of(await robot.visit(browser))["code"]
    good = claims(gateway, robot)
    other, _ = make_key()
    wrong = [
        sign(good, other),
        sign(good, kid="2"),
        confuse(good),
        jwt.encode(good, None, algorithm="none", headers={"kid": "1"}),
        "a.b.c",
        "x" * 20_000,
    ]
    for assertion in wrong:
        assert (await redeem(robot, code, assertion)).json()["error"] == "invalid_client"
    assert (await robot.redeem(code)).json()["error"] == "invalid_client"
    assert (await robot.redeem(code, client_secret="x")).json()["error"] == "invalid_client"
    mixed = await redeem(robot, code, sign(good), client_secret="x")
    assert "two ways" in mixed.json()["error_description"]
    other_kind = await redeem(robot, code, sign(good), client_assertion_type="urn:other")
    assert other_kind.json()["error"] == "invalid_client"
    assert (await redeem(robot, code, sign(good))).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"jwks": {"keys": []}},
        {"jwks": "keys"},
        {"jwks": {"keys": [PUBLIC | {"d": "x"}]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}},
        {"jwks_uri": "https://other.example/keys.json"},
        {"jwks_uri": 7},
        {"jwks": {"keys": [PUBLIC]}, "jwks_uri": "https://other.example/keys.json"},
    ],
)
async def test_keys_that_prove_nothing_are_refused_with_their_document(
    gateway: InnerGateway, robot: StockClient, site: Site, more: dict[str, Any]
):
    publish(site, **more)
    async with gateway.client() as http:
        answer = await http.get(robot.authorization_url())
    assert answer.json()["cause"] == "client-document-refused"
