"""What an ID token must say, claim by claim (OpenID Connect Core section 3.1.3.7), and how it may be signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from latchpin_oidc_login.errors import IdTokenInvalid
from latchpin_oidc_login.id_token import Expected, check_id_token, read_key_id

from tests.oidc_login.conftest import ACCESS_TOKEN, CLIENT, KEY, SECRET, changed, hash_of, signed

ISSUER, NONCE = "https://login.example.com", "n" * 43
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EXPECTED = Expected(
    issuer=ISSUER,
    client_id=CLIENT,
    nonce=NONCE,
    access_token=ACCESS_TOKEN,
    now=NOW,
    begun_at=NOW - timedelta(seconds=300),
    leeway=timedelta(seconds=30),
)
PUBLISHED = jwt.PyJWK({**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "one", "use": "sig"})
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims_with(**changes: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": CLIENT, "sub": "1", "iat": SECONDS, "exp": SECONDS + 300, "nonce": NONCE}
    return changed(claims, changes)


def check(token: str, key: jwt.PyJWK = PUBLISHED, algorithms: frozenset[str] = frozenset({"RS256"})) -> dict[str, Any]:
    return check_id_token(token, key, algorithms, EXPECTED)


GOOD = {
    "as it should be": {},
    "several audiences, ours the one it was issued to": {"aud": ["other", CLIENT], "azp": CLIENT},
    "a list of one": {"aud": [CLIENT]},
    "for the access token": {"at_hash": hash_of()},
    "a clock a little ahead": {"iat": SECONDS + 29},
    "a clock a little behind": {"exp": SECONDS - 29, "iat": SECONDS - 329},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD.keys())
def test_what_holds(changes: dict[str, Any]):
    assert check(signed(claims_with(**changes)))["sub"] == "1"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://login.evil.example"}, "issuer"),
    "the issuer with a slash": ({"iss": f"{ISSUER}/"}, "issuer"),
    "no issuer": ({"iss": None}, "missing"),
    "another audience": ({"aud": "other"}, "audience"),
    "no audience": ({"aud": None}, "missing"),
    "several audiences, nobody's": ({"aud": [CLIENT, "other"]}, "azp"),
    "another client's": ({"aud": [CLIENT, "other"], "azp": "other"}, "azp"),
    "another client's, for us alone": ({"azp": "other"}, "azp"),
    "expired": ({"exp": SECONDS - 31}, "expired"),
    "no expiry": ({"exp": None}, "missing"),
    "an expiry that is no time": ({"exp": "soon"}, "exp"),
    "not valid yet": ({"nbf": SECONDS + 31}, "not valid yet"),
    "from the future": ({"iat": SECONDS + 31}, "iat"),
    "from before": ({"iat": SECONDS - 331}, "iat"),
    "without a time": ({"iat": None}, "iat"),
    "with a time that is none": ({"iat": "now"}, "iat"),
    "with a time that is true": ({"iat": True}, "iat"),
    "issued before time began": ({"iat": -1}, "iat"),
    "endless": ({"exp": float("inf")}, "exp"),
    "beyond all dates": ({"exp": 1e30}, "exp"),
    "an expiry that is not a number": ({"exp": float("nan")}, "exp"),
    "an issue that is not a number": ({"iat": float("nan")}, "iat"),
    "another nonce": ({"nonce": "m" * 43}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "a nonce that is no text": ({"nonce": [NONCE]}, "nonce"),
    "a nonce of other characters": ({"nonce": "é\ud800"}, "nonce"),
    "another access token": ({"at_hash": hash_of("another")}, "at_hash"),
    "an at_hash that is no text": ({"at_hash": 1}, "at_hash"),
    "nobody": ({"sub": None}, "sub"),
    "an empty somebody": ({"sub": ""}, "sub"),
}


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD.keys())
def test_what_does_not_hold(changes: dict[str, Any], reason: str):
    with pytest.raises(IdTokenInvalid) as caught:
        check(signed(claims_with(**changes)))
    assert reason in caught.value.detail


def unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    parts = [{"alg": algorithm, "typ": "JWT", "kid": "one"}, claims]
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}."


def hs256(claims: dict[str, Any], key: bytes) -> str:
    """PyJWT refuses to sign with a public key, so this is done by hand."""
    message = unsigned(claims, "HS256").rstrip(".")
    signature = hmac.new(key, message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED = {
    "alg none": unsigned(claims_with()),
    "alg None": unsigned(claims_with(), "None"),
    "no signature": unsigned(claims_with(), "RS256"),
    "HS256 under the public key": hs256(claims_with(), PEM),
    "HS256 under the client's secret": hs256(claims_with(), SECRET.encode()),
    "another key": signed(claims_with(), OTHER),
    "another algorithm of the key": signed(claims_with(), algorithm="RS512"),
    "another algorithm, PSS": signed(claims_with(), algorithm="PS256"),
    "an altered payload": ".".join(
        [
            signed(claims_with()).split(".")[0],
            signed(claims_with(sub="2")).split(".")[1],
            signed(claims_with()).split(".")[2],
        ]
    ),
    "text": "a.b.c",
    "not ASCII": signed(claims_with())[:-1] + "é",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_proves_nothing(token: str):
    with pytest.raises(IdTokenInvalid):
        check(token)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "é.é.é"])
def test_a_token_without_a_header_names_no_key(token: str):
    with pytest.raises(IdTokenInvalid):
        read_key_id(token)


def test_a_key_for_what_the_provider_does_not_sign_with_is_not_used():
    with pytest.raises(IdTokenInvalid, match="RS256"):
        check(signed(claims_with()), algorithms=frozenset({"ES256"}))


def test_elliptic_curves_with_their_own_hashes():
    key = ec.generate_private_key(ec.SECP384R1())
    published = jwt.PyJWK({**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "one"})
    half = base64.urlsafe_b64encode(hashlib.sha384(ACCESS_TOKEN.encode()).digest()[:24]).rstrip(b"=").decode()
    token = signed(claims_with(at_hash=half), key, algorithm="ES384")
    assert check(token, published, frozenset({"ES384"}))


def test_ed25519_with_sha_512():
    key = ed25519.Ed25519PrivateKey.generate()
    published = jwt.PyJWK({**json.loads(OKPAlgorithm.to_jwk(key.public_key())), "kid": "one"})
    half = base64.urlsafe_b64encode(hashlib.sha512(ACCESS_TOKEN.encode()).digest()[:32]).rstrip(b"=").decode()
    good, bad = (signed(claims_with(at_hash=at_hash), key, algorithm="EdDSA") for at_hash in (half, hash_of()))
    assert check(good, published, frozenset({"EdDSA"}))
    with pytest.raises(IdTokenInvalid, match="at_hash"):
        check(bad, published, frozenset({"EdDSA"}))
