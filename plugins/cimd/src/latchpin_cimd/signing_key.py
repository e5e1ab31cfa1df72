"""The key that proves the client (RFC 7523): made once for all workers, kept sealed, published without its secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from latchpin.contracts import Cipher, KeyValueRecords
from latchpin.model import Sealed
from latchpin.sdk.keys import kept_use

__all__ = ["KEY_USE", "SigningKey", "open_key"]

KEPT_AS = "cimd:signing-key"
PLACE = ("", "", "", "cimd_signing_key")
KEY_USE = kept_use("keys that prove the client (CIMD)", KEPT_AS, lambda _name: PLACE)
_PUBLIC = ("kty", "crv", "x", "y", "use", "alg", "kid")


class SigningKey:
    """An ES256 key pair as a JWK (RFC 7517).

    Args:
        jwk: with its private member.
    """

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        self._jwk = dict(jwk)

    def __repr__(self) -> str:
        """Its name only."""
        return f"SigningKey(kid={self._jwk.get('kid')!r})"

    @property
    def public(self) -> dict[str, Any]:
        """What may be published: only members that are known to be public."""
        return {name: self._jwk[name] for name in _PUBLIC if name in self._jwk}

    @property
    def private(self) -> str:
        """The whole JWK as JSON, for signing. Never logged, stored only sealed."""
        return json.dumps(self._jwk)


def make_key() -> SigningKey:
    """A new P-256 key, named by its thumbprint (RFC 7638)."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  seldom needed, and slow to load
    from jwt.algorithms import ECAlgorithm  # noqa: PLC0415  as above
    from latchpin.sdk.keys import public_jwk, thumbprint_of  # noqa: PLC0415  as above

    private = ec.generate_private_key(ec.SECP256R1())
    public, secret = public_jwk(private.public_key()), ECAlgorithm.to_jwk(private, as_dict=True)["d"]
    return SigningKey({**public, "d": secret, "use": "sig", "alg": "ES256", "kid": thumbprint_of(public)})


async def open_key(kept: KeyValueRecords, cipher: Cipher, make: Callable[[], SigningKey] = make_key) -> SigningKey:
    """Give the key; whichever worker asks first makes it.

    Raises:
        Unsealable: it was sealed under an AUTH_ENCRYPTION_SECRET that is gone.
        BackendUnavailable: the store cannot be asked.
    """
    sealed = await kept.get(KEPT_AS)
    if sealed is None:
        sealed = await kept.put(KEPT_AS, cipher.seal(make().private, associated_data=PLACE))
    return SigningKey(json.loads(cipher.unseal(Sealed(sealed), associated_data=PLACE)))
