"""What signs, what seals, and how a code challenge is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from latchpin.model import Sealed

__all__ = ["Cipher", "PkceMethod", "Signer"]


class Signer(Protocol):
    """Signs the state, so that a forged one never reaches a store."""

    @property
    def key_id(self) -> str:
        """Names the key that ``sign`` uses today: short, URL-safe, nothing of the key can be learnt from it."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message`` under today's key."""

    def verify(self, message: bytes, signature: bytes, *, key_id: str) -> bool:
        """Say whether the signature holds, in constant time.

        Raises:
            Unsealable: no key of that name, today's or an earlier one, is known.
        """


class Cipher(Protocol):
    """Seals secrets before they reach a store (AEAD with the record's place as associated data)."""

    @property
    def key_id(self) -> str:
        """Names the key that ``seal`` uses today."""

    def seal(self, plaintext: str, *, place: Sequence[str]) -> Sealed:
        """Encrypt ``plaintext``; only ``unseal`` with an equal ``place`` opens it."""

    def unseal(self, sealed: Sealed, *, place: Sequence[str]) -> str:
        """Decrypt.

        Raises:
            Unsealable: no key we have opens it, it is damaged, or it was sealed for another place.
        """


class PkceMethod(Protocol):
    """One code challenge method (RFC 7636 section 4.2)."""

    @property
    def name(self) -> str:
        """The ``code_challenge_method`` on the wire, such as ``S256``."""

    def challenge(self, verifier: str) -> str:
        """Compute the challenge of a verifier."""
