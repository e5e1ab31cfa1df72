"""Proofs of possession as RFC 9449 has them, and when tokens are to be bound."""

import json
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from latchpin.model import Reply
from latchpin.oauth.dpop import (
    asks_for_nonce,
    build_proof,
    choose_binding,
    read_nonce,
    takes_bound_tokens,
)
from latchpin.oauth.jwk import derive_key, public_jwk, thumbprint_of

NOW = datetime(2019, 2, 8, 17, 36, 2, tzinfo=UTC)
KEY = derive_key(b"k" * 32)


def read(proof, key=KEY):
    head = jwt.get_unverified_header(proof)
    assert head["typ"] == "dpop+jwt"
    assert head["alg"] == "ES256"
    assert set(head["jwk"]) == {"kty", "crv", "x", "y"}  # and nothing private
    assert jwt.PyJWK(head["jwk"]).key.public_numbers() == key.public_key().public_numbers()
    return jwt.decode(proof, jwt.PyJWK(head["jwk"]), ["ES256"], options={"verify_iat": False})


def test_a_proof_for_a_token_request():
    """RFC 9449 section 4.2, figure 2."""
    proof = build_proof(
        KEY, method="POST", url="https://server.example.com/token?t=1#f", now=NOW, jti="-BwC3ESc6acc2lTc"
    )
    assert read(proof) == {
        "jti": "-BwC3ESc6acc2lTc",
        "htm": "POST",
        "htu": "https://server.example.com/token",
        "iat": 1549647362,
    }


def test_the_thumbprint_is_that_of_the_rfcs_example():
    """RFC 9449 sections 4.1 and 6.1."""
    coordinates = {
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }
    public = ECAlgorithm.from_jwk({"kty": "EC", "crv": "P-256", **coordinates})
    assert thumbprint_of(public_jwk(public)) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_proof_with_a_token_and_a_nonce():
    """RFC 9449 section 7.1, figure 12: the hash of its example token."""
    proof = build_proof(
        KEY,
        method="GET",
        url="https://resource.example.org/protectedresource",
        now=NOW,
        jti="e1j3V_bKic8-LAEB",
        access_token="Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        nonce="eyJ7S_zG.eyJH0-Z.HX4w-7v",
    )
    claims = read(proof)
    assert claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert claims["nonce"] == "eyJ7S_zG.eyJH0-Z.HX4w-7v"
    assert (claims["htm"], claims["htu"]) == ("GET", "https://resource.example.org/protectedresource")


@pytest.mark.parametrize("seed", [b"\0" * 32, b"\xff" * 32, bytes(range(32))])
def test_every_seed_gives_a_key_and_always_the_same(seed):
    key = derive_key(seed)
    assert isinstance(key.curve, ec.SECP256R1)
    assert derive_key(seed).private_numbers() == key.private_numbers()
    read(build_proof(key, method="POST", url="https://x.example", now=NOW, jti="j"), key)


@pytest.mark.parametrize(
    ("entered", "algorithms", "resource", "found"),
    [
        (None, ["ES256"], True, "offered"),
        (None, ["RS256", "ES256"], True, "offered"),
        (None, ["ES256"], False, None),  # many a server could, and its MCP servers know bearer tokens only
        (None, ["RS256"], True, None),
        (None, [], True, None),
        (None, None, True, None),
        (None, "ES256", True, None),
        (True, None, False, "required"),
        (True, ["RS256"], True, "required"),
        (False, ["ES256"], True, None),
    ],
)
def test_when_tokens_are_bound(entered, algorithms, resource, found):
    assert choose_binding(entered, server_algorithms=algorithms, resource_takes_it=resource) == found


@pytest.mark.parametrize(
    ("document", "takes"),
    [
        ({}, False),
        ({"dpop_bound_access_tokens_required": True}, True),
        ({"dpop_bound_access_tokens_required": "yes"}, False),
        ({"dpop_signing_alg_values_supported": ["ES256"]}, True),
        ({"dpop_signing_alg_values_supported": ["RS256"]}, False),
        ({"dpop_signing_alg_values_supported": "ES256"}, False),
    ],
)
def test_what_a_resource_says_of_it(document, takes):
    assert takes_bound_tokens(document) == takes


@pytest.mark.parametrize(
    ("value", "nonce"),
    [
        ("abc", "abc"),
        ("!#[]~", "!#[]~"),
        (None, None),
        ("", None),
        ("a b", None),
        ('a"b', None),
        ("a\\b", None),
        ("one, two", None),
        ("ä", None),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, None),
    ],
)
def test_what_can_be_a_nonce(value, nonce):
    assert read_nonce(value) == nonce


@pytest.mark.parametrize(
    ("status", "body", "asks"),
    [
        (400, {"error": "use_dpop_nonce"}, True),
        (401, {"error": "use_dpop_nonce"}, True),
        (200, {"error": "use_dpop_nonce"}, False),
        (400, {"error": "invalid_grant"}, False),
        (400, ["use_dpop_nonce"], False),
        (400, b"<html>", False),
        (400, b"[" * 100_000, False),
    ],
)
def test_when_only_a_nonce_is_missing(status, body, asks):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert asks_for_nonce(Reply("https://as.example/token", status, {}, content)) == asks
