"""Keys on the curve P-256, as ES256 signs with: made of a secret, published, named (RFC 7517, RFC 7638)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from latchpin.oauth import base64url

__all__ = ["derive_key", "public_jwk", "thumbprint_of"]

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve's base point."""
_REQUIRED = ("crv", "kty", "x", "y")


def derive_key(seed: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key that belongs to random bytes: 32 at the least, and with 48 each key is as likely as any other."""
    return ec.derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, ec.SECP256R1())


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members that make the public key (RFC 7518 section 6.2.1), and no others."""
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    return {name: str(jwk[name]) for name in _REQUIRED}


def thumbprint_of(jwk: Mapping[str, str]) -> str:
    """What names a public key: the digest of the members that make it (RFC 7638 section 3.2)."""
    required = {name: jwk[name] for name in _REQUIRED}
    return base64url.encode(hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest())
