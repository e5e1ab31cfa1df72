"""The keys that sign access tokens: ES256, the same for all workers, each generation made of a kept random key.

P-256 because its tokens are short and quickly signed; what proves one is published as a JWK Set (RFC 7517).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from latchpin.contracts import Context
from latchpin.sdk.keys import SharedKeys, derive_key, public_jwk, thumbprint_of

__all__ = ["ALGORITHM", "SigningKey", "SigningKeys"]

ALGORITHM = "ES256"
KEPT_AS = "authorization-server"

_WIDE = 48
"""Bytes that a private key is made of: so many more than it has that each is as likely as any other."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair.

    Attributes:
        id: its thumbprint (RFC 7638), the ``kid`` of what it signs.
        public: what proves its signatures.
        public_jwk: the same, as it is published.
    """

    id: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: ec.EllipticCurvePublicKey = field(repr=False)
    public_jwk: dict[str, Any]


class SigningKeys:
    """Today's key and earlier ones, made at first use."""

    def __init__(self, context: Context) -> None:
        self._shared = SharedKeys(context.kept, context.cipher, KEPT_AS)
        self._keys: tuple[SigningKey, ...] = ()

    async def all(self) -> tuple[SigningKey, ...]:
        """Today's, then earlier ones. Raises BackendUnavailable as long as the first asking fails."""
        if not self._keys:
            self._keys = tuple(map(_derive, await self._shared.get()))
        return self._keys

    async def find(self, key_id: object) -> SigningKey | None:
        """The key of that name."""
        return next((key for key in await self.all() if key.id == key_id), None)


def _derive(secret: bytes) -> SigningKey:
    wide = HKDF(hashes.SHA256(), _WIDE, salt=None, info=b"latchpin access tokens ES256").derive(secret)
    private = derive_key(wide)
    public = public_jwk(private.public_key())
    name = thumbprint_of(public)
    return SigningKey(name, private, private.public_key(), {**public, "use": "sig", "alg": ALGORITHM, "kid": name})
