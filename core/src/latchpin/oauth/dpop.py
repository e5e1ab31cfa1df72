"""Tokens bound to a key: when they are asked for, and the proofs that show the key (DPoP, RFC 9449), without I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from latchpin.model import Reply
from latchpin.oauth import base64url
from latchpin.oauth.jwk import public_jwk

__all__ = [
    "DPOP",
    "NONCE_HEADER",
    "USE_NONCE",
    "asks_for_nonce",
    "bare_url",
    "build_proof",
    "choose_binding",
    "read_nonce",
    "takes_bound_tokens",
]

DPOP = "DPoP"
NONCE_HEADER = "dpop-nonce"
USE_NONCE = "use_dpop_nonce"
_ALGORITHM = "ES256"
_NONCE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,1024}")  # section 8.1
_REFUSED = (400, 401)


def choose_binding(
    entered: bool | None, *, server_algorithms: object, resource_takes_it: bool
) -> Literal["required", "offered"] | None:
    """Decide whether tokens are to be bound to a key: as the entry says, else where both servers show that they do it.

    An authorization server that could do it is not enough: the tokens go to the MCP server, and many know only
    bearer tokens.

    Args:
        entered: the entry's ``dpop``.
        server_algorithms: ``dpop_signing_alg_values_supported`` of the authorization server's metadata, as it came.
        resource_takes_it: the MCP server's challenge or metadata speaks of DPoP.

    Returns:
        ``required``: a token that is not bound is refused; ``offered``: a proof is sent, and the server decides.
    """
    if entered is not None:
        return "required" if entered else None
    return "offered" if resource_takes_it and _has_ours(server_algorithms) else None


def takes_bound_tokens(resource: Mapping[str, Any]) -> bool:
    """Whether a protected resource's metadata speaks of DPoP in a way that we can follow (RFC 9728 section 2)."""
    return resource.get("dpop_bound_access_tokens_required") is True or _has_ours(
        resource.get("dpop_signing_alg_values_supported")
    )


def _has_ours(algorithms: object) -> bool:
    return isinstance(algorithms, list) and _ALGORITHM in algorithms


def build_proof(
    key: ec.EllipticCurvePrivateKey,
    *,
    method: str,
    url: str,
    now: datetime,
    jti: str,
    access_token: str | None = None,
    nonce: str | None = None,
) -> str:
    """A proof for one request (section 4.2).

    Args:
        key: the one that tokens are bound to.
        method: of the request.
        url: of the request; query and fragment are left out.
        now: the time of signing.
        jti: a value never used before.
        access_token: the token that goes along, None at the token endpoint.
        nonce: the server's newest, None if it has given none.
    """
    claims: dict[str, Any] = {"jti": jti, "htm": method, "htu": bare_url(url), "iat": int(now.timestamp())}
    if access_token is not None:
        claims["ath"] = base64url.encode(hashlib.sha256(access_token.encode("ascii")).digest())
    if nonce is not None:
        claims["nonce"] = nonce
    headers = {"typ": "dpop+jwt", "jwk": public_jwk(key.public_key())}
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers=headers)


def bare_url(url: str) -> str:
    """``url`` without query and fragment."""
    return url.partition("#")[0].partition("?")[0]


def read_nonce(value: str | None) -> str | None:
    """A ``DPoP-Nonce`` header's value; None if it is absent, or none that a proof could hold."""
    return value if value is not None and _NONCE.fullmatch(value) else None


def asks_for_nonce(reply: Reply) -> bool:
    """Whether a token endpoint did nothing but ask for a nonce in the proof (section 8)."""
    if reply.status not in _REFUSED:
        return False
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("error") == USE_NONCE
