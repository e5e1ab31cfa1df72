"""How the client proves itself at the token endpoint by a private key (RFC 7523 section 2.2), without I/O."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from latchpin.contracts import TokenRequestParts
from latchpin.errors import ConfigurationError
from latchpin.model import ClientCredentials
from latchpin.oauth.client_auth import secret_of

__all__ = ["ASSERTION_LIFETIME", "ASSERTION_TYPE", "assertion_parts"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(seconds=60)

_MINIMUM_RSA_BITS = 2048
_ALGORITHM_OF_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


def assertion_parts(client: ClientCredentials, *, audience: str, now: datetime, jti: str) -> TokenRequestParts:
    """A JWT signed with the client's private key (RFC 7523 section 2.2); the algorithm follows the key.

    ``client_secret`` holds the key as PEM (PKCS #8 and the older forms, unencrypted) or as a private JWK,
    whose ``kid`` and ``alg`` are used. The JWT has one audience, as a string, and says what it is for
    (``typ``), as the successor of RFC 7523 asks for, so that no other server can be made to take it.

    Args:
        client: who signs.
        audience: the server's issuer identifier; where none is known, its token endpoint.
        now: the time of signing; the JWT holds for 60 seconds.
        jti: a value never used before.

    Raises:
        ConfigurationError: there is no key, or it cannot sign.
    """
    key, algorithm, key_id = _signing_key(secret_of(client, "private_key_jwt"))
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int((now + ASSERTION_LIFETIME).timestamp()),
    }
    headers = {"typ": "client-authentication+jwt"} | ({"kid": key_id} if key_id else {})
    assertion = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    fields = {
        "client_id": client.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return TokenRequestParts({}, fields)


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def _signing_key(text: str) -> tuple[PrivateKey, str, str | None]:
    """The key, its algorithm and its ``kid``, from PEM or JWK."""
    if text.lstrip().startswith("{"):
        return _key_from_jwk(text)
    # Where only one line fits, people write a PEM with \n as two characters.
    pem = text.replace("\\n", "\n").strip().encode()
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnicodeError) as exc:
        raise _bad_key("it is neither a private JWK nor an unencrypted private key in PEM") from exc
    return *_algorithm(key), None


def _key_from_jwk(text: str) -> tuple[PrivateKey, str, str | None]:
    try:
        document = json.loads(text)
        loaded = jwt.PyJWK(document)
    except (ValueError, TypeError, RecursionError, jwt.PyJWTError) as exc:
        raise _bad_key("the JWK cannot be read") from exc
    key, algorithm = _algorithm(loaded.key)
    named = loaded.algorithm_name
    if named != algorithm and not (isinstance(key, rsa.RSAPrivateKey) and named.startswith(("RS", "PS"))):
        raise _bad_key("its alg does not belong to a key of that type")
    key_id = document.get("kid")
    return key, named, key_id if isinstance(key_id, str) else None


def _algorithm(key: object) -> tuple[PrivateKey, str]:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _MINIMUM_RSA_BITS:
            raise _bad_key(f"an RSA key needs {_MINIMUM_RSA_BITS} bits or more, this one has {key.key_size}")
        return key, "RS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _ALGORITHM_OF_CURVE:
        return key, _ALGORITHM_OF_CURVE[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key, "EdDSA"
    raise _bad_key("it is not a private RSA, EC (P-256, P-384, P-521) or Ed25519 key")


def _bad_key(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The key for private_key_jwt cannot be used: {why}.",
        public="The gateway's client key cannot be used.",
        remedy="Enter the private key as client_secret, in PEM or as a JWK.",
    )
