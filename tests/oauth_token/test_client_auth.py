"""How the client proves itself at the token endpoint."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_plus

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from latchpin.defaults.client_authentications import KeyAuthentication, latchpin_client_authentications
from latchpin.errors import ConfigurationError
from latchpin.model import ClientCredentials
from latchpin.oauth.client_assertion import ASSERTION_TYPE, assertion_parts
from latchpin.oauth.client_auth import basic_parts, choose_method, post_parts

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
BASIC, POST, NONE, KEY = "client_secret_basic", "client_secret_post", "none", "private_key_jwt"
ISSUER, ENDPOINT = "https://as.example", "https://as.example/token"


@pytest.mark.parametrize(
    ("configured", "supported", "has_secret", "chosen"),
    [
        (KEY, (BASIC,), True, KEY),  # the entry wins over the server's own list
        (NONE, None, True, NONE),
        (None, (BASIC,), False, NONE),
        (None, None, True, BASIC),
        (None, (), True, BASIC),
        (None, (POST, BASIC), True, BASIC),
        (None, (NONE, POST), True, POST),
        (None, (KEY, NONE), True, KEY),
        (None, (NONE,), True, NONE),
        (None, ("tls_client_auth",), True, BASIC),
    ],
)
def test_the_method_follows_entry_server_and_secret(configured, supported, has_secret, chosen):
    assert choose_method(configured, supported, has_secret) == chosen


def test_basic_form_encodes_id_and_secret_before_joining_them():
    parts = basic_parts(ClientCredentials("a:b c", "p%+ü:/", BASIC))
    login = base64.b64decode(parts.headers["authorization"].removeprefix("Basic ")).decode()
    assert login == "a%3Ab+c:p%25%2B%C3%BC%3A%2F"
    client_id, _, secret = login.partition(":")
    assert (unquote_plus(client_id), unquote_plus(secret)) == ("a:b c", "p%+ü:/")
    assert parts.fields == {"client_id": "a:b c"}


@pytest.mark.parametrize("name", [BASIC, POST, KEY])
def test_a_method_that_needs_a_secret_says_so(name):
    method = {one.name: one for one in latchpin_client_authentications()}[name]
    with pytest.raises(ConfigurationError, match=name) as caught:
        method.authenticate(ClientCredentials("c"), issuer=ISSUER, token_endpoint=ENDPOINT, now=NOW)
    assert "client_secret" in caught.value.remedy


def test_what_is_offered_carries_the_client_id_in_the_body():
    methods = {one.name: one for one in latchpin_client_authentications()}
    assert set(methods) == {BASIC, POST, NONE, KEY}
    secrets = {KEY: pem(ec.generate_private_key(ec.SECP256R1())), NONE: None}
    for name, method in methods.items():
        client = ClientCredentials("cid", secrets.get(name, "s3cret"), name)
        parts = method.authenticate(client, issuer=ISSUER, token_endpoint=ENDPOINT, now=NOW)
        assert parts.fields["client_id"] == "cid"
        assert ("s3cret" in parts.fields.values()) == (name == POST)
    assert post_parts(ClientCredentials("c", "s", POST)).headers == {}


# -- private_key_jwt ----------------------------------------------------------------------------------


def pem(key, form=PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def jwk(key, algorithm, **more) -> str:
    return algorithm.to_jwk(key, as_dict=False)[:-1] + "".join(f', "{k}": "{v}"' for k, v in more.items()) + "}"


RSA = rsa.generate_private_key(65537, 2048)
EC = {name: ec.generate_private_key(curve) for name, curve in [("ES256", ec.SECP256R1()), ("ES384", ec.SECP384R1())]}
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("secret", "key", "algorithm"),
    [
        (pem(RSA), RSA, "RS256"),
        (pem(RSA, PrivateFormat.TraditionalOpenSSL), RSA, "RS256"),
        (pem(EC["ES256"]), EC["ES256"], "ES256"),
        (pem(EC["ES384"]).replace("\n", "\\n"), EC["ES384"], "ES384"),
        (pem(ED), ED, "EdDSA"),
        (jwk(RSA, jwt.algorithms.RSAAlgorithm), RSA, "RS256"),
        (jwk(RSA, jwt.algorithms.RSAAlgorithm, alg="PS256"), RSA, "PS256"),
        (jwk(EC["ES256"], jwt.algorithms.ECAlgorithm), EC["ES256"], "ES256"),
        (jwk(ED, jwt.algorithms.OKPAlgorithm), ED, "EdDSA"),
    ],
)
def test_the_algorithm_follows_the_key_and_the_assertion_verifies(secret, key, algorithm):
    parts = assertion_parts(ClientCredentials("cid", secret, KEY), audience=ISSUER, now=NOW, jti="j1")
    assert parts.fields["client_assertion_type"] == ASSERTION_TYPE
    assertion = parts.fields["client_assertion"]
    header = jwt.get_unverified_header(assertion)
    assert (header["alg"], header["typ"]) == (algorithm, "client-authentication+jwt")
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(assertion, key.public_key(), algorithms=[algorithm], audience=ISSUER, options=options)
    seconds = int(NOW.timestamp())
    expected = {"iss": "cid", "sub": "cid", "aud": ISSUER, "jti": "j1", "iat": seconds, "exp": seconds + 60}
    assert claims == expected


def test_a_jwk_names_its_key():
    secret = jwk(EC["ES256"], jwt.algorithms.ECAlgorithm, kid="key-7")
    parts = assertion_parts(ClientCredentials("cid", secret, KEY), audience=ISSUER, now=NOW, jti="j")
    assert jwt.get_unverified_header(parts.fields["client_assertion"])["kid"] == "key-7"


def public(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("just-a-password", "neither"),
        ("päßwort", "neither"),
        (public(RSA), "neither"),
        (jwk(RSA.public_key(), jwt.algorithms.RSAAlgorithm), "not a private"),
        ("{not json", "cannot be read"),
        ('{"kty": "oct", "k": "c2VjcmV0"}', "not a private"),
        ('{"kty": "EC"}', "cannot be read"),
        ('{"a":' * 100_000, "cannot be read"),
        (jwk(RSA, jwt.algorithms.RSAAlgorithm, alg="HS256"), "cannot be read|does not belong"),
        (jwk(EC["ES256"], jwt.algorithms.ECAlgorithm, alg="ES384"), "cannot be read|does not belong"),
        (pem(rsa.generate_private_key(65537, 1024)), "2048 bits"),
        (pem(ed448.Ed448PrivateKey.generate()), "not a private"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "not a private"),
    ],
)
def test_a_key_that_cannot_sign_is_named_and_never_shown(secret, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        assertion_parts(ClientCredentials("cid", secret, KEY), audience=ISSUER, now=NOW, jti="j")
    assert secret[:40] not in str(caught.value) + caught.value.public


def test_the_audience_is_the_issuer_and_only_without_one_the_endpoint():
    method = KeyAuthentication(new_jti=iter(["one", "two"]).__next__)
    client = ClientCredentials("cid", pem(ED), KEY)
    seen = []
    for issuer in (ISSUER, None):
        parts = method.authenticate(client, issuer=issuer, token_endpoint=ENDPOINT, now=NOW + timedelta(days=1))
        payload = parts.fields["client_assertion"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        seen.append((claims["aud"], claims["jti"]))
    assert seen == [(ISSUER, "one"), (ENDPOINT, "two")]


def test_every_assertion_has_an_identifier_of_its_own():
    method, client = KeyAuthentication(), ClientCredentials("cid", pem(ED), KEY)
    made = {
        method.authenticate(client, issuer=ISSUER, token_endpoint=ENDPOINT, now=NOW).fields["client_assertion"]
        for _ in range(3)
    }
    assert len(made) == 3
