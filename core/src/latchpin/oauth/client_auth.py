"""How the client proves itself at the token endpoint (RFC 6749 section 2.3, RFC 7523), without I/O.

``client_id`` is always in the body, with HTTP Basic too: the standard allows it and common servers
demand it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from latchpin.contracts import TokenRequestParts
from latchpin.errors import ConfigurationError
from latchpin.model import ClientCredentials

__all__ = [
    "ASSERTION_LIFETIME",
    "ASSERTION_TYPE",
    "assertion_parts",
    "basic_parts",
    "choose_method",
    "post_parts",
    "public_parts",
]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(seconds=60)

_MINIMUM_RSA_BITS = 2048
_ALGORITHM_OF_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_WITH_SECRET = ("client_secret_basic", "client_secret_post", "private_key_jwt")


def choose_method(configured: str | None, supported: Sequence[str] | None, has_secret: bool) -> str:
    """Choose the ``token_endpoint_auth_method`` of a client.

    What the gateway's entry or the registration says wins, also over the server's metadata, which is often
    incomplete. Without a secret only ``none`` is left. With one: Basic if the server names nothing (RFC 8414
    section 2), else the first of Basic, post and ``private_key_jwt`` that it names. A server that names only
    ``none`` is not sent the secret; one that names only methods we do not have gets Basic, which every
    server that issues secrets must take (RFC 6749 section 2.3.1).
    """
    if configured:
        return configured
    if not has_secret:
        return "none"
    if not supported:
        return "client_secret_basic"
    for method in _WITH_SECRET:
        if method in supported:
            return method
    return "none" if "none" in supported else "client_secret_basic"


def basic_parts(client: ClientCredentials) -> TokenRequestParts:
    """HTTP Basic; id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1).

    Raises:
        ConfigurationError: the client has no secret.
    """
    login = f"{quote_plus(client.client_id)}:{quote_plus(_secret(client, 'client_secret_basic'))}"
    header = "Basic " + base64.b64encode(login.encode()).decode()
    return TokenRequestParts({"authorization": header}, {"client_id": client.client_id})


def post_parts(client: ClientCredentials) -> TokenRequestParts:
    """Id and secret in the body.

    Raises:
        ConfigurationError: the client has no secret.
    """
    secret = _secret(client, "client_secret_post")
    return TokenRequestParts({}, {"client_id": client.client_id, "client_secret": secret})


def public_parts(client: ClientCredentials) -> TokenRequestParts:
    """A public client only says who it is."""
    return TokenRequestParts({}, {"client_id": client.client_id})


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
    key, algorithm, key_id = _signing_key(_secret(client, "private_key_jwt"))
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


def _secret(client: ClientCredentials, method: str) -> str:
    if client.client_secret:
        return client.client_secret
    what = "private key" if method == "private_key_jwt" else "client_secret"
    raise ConfigurationError(
        f"The gateway is to use {method}, and its client has no {what}.",
        public="The gateway's client is not fully configured.",
        remedy=f"Enter the {what} as client_secret, or set token_endpoint_auth_method to none.",
    )


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
