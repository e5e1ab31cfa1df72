"""Proofs of possession for tokens bound to a key (DPoP, RFC 9449): whose key signs, and which nonce goes in.

Each gateway has a key of its own, made at random once for all workers and kept sealed. Nonces are each server's newest;
a worker that has none yet is told one with the first refusal.

It is the core's, and no plugin's: whether tokens are bound is part of a gateway's entry, of discovery and of the
authorization request. Another way to bind them, a client certificate (RFC 8705), proves its key in the connection and
not in each request: the two share no hook.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from latchpin.contracts import Cipher, Clock, KeyValueRecords
from latchpin.model import ServerMetadata, StoredToken
from latchpin.oauth.challenge import parse_challenge
from latchpin.oauth.dpop import (
    DPOP,
    NONCE_HEADER,
    USE_NONCE,
    bare_url,
    build_proof,
    read_nonce,
)
from latchpin.oauth.jwk import derive_key, public_jwk, thumbprint_of
from latchpin.outbound.messages import Answer
from latchpin.workers.bounded import Bounded
from latchpin.workers.keys import forget_keys, random_keys

__all__ = ["DpopBinding", "DpopProofs", "TokenProof", "bound_of"]

_MOST_REMEMBERED = 10_000
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class DpopBinding:
    """A token request is to give a token bound to the gateway's key; ``required``: and no other."""

    gateway_id: str
    required: bool = False


def bound_of(gateway_id: str, server: ServerMetadata, stored: StoredToken | None = None) -> DpopBinding | None:
    """How a gateway's token request is bound: as the server was found to do it, or as the earlier token was."""
    if server.dpop is not None:
        return DpopBinding(gateway_id, required=server.dpop == "required")
    return DpopBinding(gateway_id) if stored is not None and stored.token_type == DPOP else None


class DpopProofs:
    """Signs proofs and remembers nonces."""

    def __init__(self, kept: KeyValueRecords, cipher: Cipher, clock: Clock) -> None:
        self._kept = kept
        self._cipher = cipher
        self._clock = clock
        self._keys: Bounded[str, ec.EllipticCurvePrivateKey] = Bounded(_MOST_REMEMBERED)
        self._nonces: Bounded[tuple[str, str], str] = Bounded(_MOST_REMEMBERED)

    async def prove(self, gateway_id: str, method: str, url: str, *, access_token: str | None = None) -> str:
        """A proof for one request; each is used once.

        Raises:
            BackendUnavailable: the key cannot be read from the store.
        """
        return build_proof(
            await self._key(gateway_id),
            method=method,
            url=url,
            now=self._clock(),
            jti=secrets.token_urlsafe(16),
            access_token=access_token,
            nonce=self._nonces.get((gateway_id, bare_url(url))),
        )

    async def thumbprint(self, gateway_id: str) -> str:
        """What names the gateway's key in an authorization request.

        Raises:
            BackendUnavailable: the key cannot be read from the store.
        """
        return thumbprint_of(public_jwk((await self._key(gateway_id)).public_key()))

    def learn(self, gateway_id: str, url: str, nonce: str | None) -> bool:
        """Remember what an answer of ``url`` said in ``DPoP-Nonce``. Whether it said something usable."""
        found = read_nonce(nonce)
        if found is None:
            return False
        self._nonces[gateway_id, bare_url(url)] = found
        return True

    async def forget(self, gateway_id: str) -> None:
        """Forget the key of a gateway that is gone: no token is bound to it any more."""
        self._keys.pop(gateway_id, None)
        await forget_keys(self._kept, _key_name(gateway_id))

    async def _key(self, gateway_id: str) -> ec.EllipticCurvePrivateKey:
        key = self._keys.get(gateway_id)
        if key is None:
            # The oldest that opens: tokens stay bound to it while AUTH_ENCRYPTION_SECRET changes.
            seeds = await random_keys(self._kept, self._cipher, _key_name(gateway_id))
            key = self._keys[gateway_id] = derive_key(seeds[-1])
        return key


def _key_name(gateway_id: str) -> str:
    return f"dpop:{gateway_id}"


@dataclass(frozen=True, slots=True)
class TokenProof:
    """Proofs for the requests with one access token."""

    proofs: DpopProofs
    gateway_id: str
    access_token: str = field(repr=False)

    async def fields(self, method: str, url: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """The header fields that show the token and the key (section 7.1)."""
        proof = await self.proofs.prove(self.gateway_id, method, url, access_token=self.access_token)
        return (("authorization", f"{DPOP} {self.access_token}"), ("dpop", proof))

    def wants_nonce(self, url: str, answer: Answer) -> bool:
        """Remember the nonce that an answer tells; whether only for want of it the request was refused (section 9)."""
        learnt = self.proofs.learn(self.gateway_id, url, answer.header(NONCE_HEADER))
        challenge = parse_challenge(answer.challenges) if answer.status == _UNAUTHORIZED else None
        return learnt and challenge is not None and challenge.error == USE_NONCE
