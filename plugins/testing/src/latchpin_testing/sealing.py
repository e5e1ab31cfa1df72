"""A real cipher and a key service for tests, AES-256-GCM under a key that lives as long as the object; and a signer."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from latchpin.errors import Unsealable
from latchpin.model import Sealed
from latchpin.sdk.oauth import base64url

__all__ = ["SuiteCipher", "SuiteKeyWrapper", "SuiteSigner"]

_NONCE_BYTES = 12


class SuiteCipher:
    """Implements ``latchpin.contracts.Cipher`` with one random key: what stores hold in tests is truly sealed."""

    key_id = "suite"

    def __init__(self) -> None:
        self._aead = AESGCM(AESGCM.generate_key(256))

    def seal(self, plaintext: str, *, associated_data: Sequence[str]) -> Sealed:
        """Encrypt ``plaintext`` for this record."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = nonce + self._aead.encrypt(nonce, plaintext.encode(), _associated(associated_data))
        return Sealed(f"{self.key_id}.{base64url.encode(box)}")

    def unseal(self, sealed: Sealed, *, associated_data: Sequence[str]) -> str:
        """Decrypt.

        Raises:
            Unsealable: damaged, sealed by another cipher, or for another record.
        """
        try:
            text = sealed.partition(".")[2]
            box = base64url.decode(text)
            return self._aead.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], _associated(associated_data)).decode()
        except (InvalidTag, ValueError) as exc:
            raise Unsealable("not sealed by this cipher for this record") from exc


class SuiteKeyWrapper:
    """Implements ``latchpin.contracts.KeyWrapper`` with one random key.

    Attributes:
        failure: what every call raises, as if the service were away; None: it answers.
        asked: how often it was asked.
    """

    def __init__(self) -> None:
        self._aead = AESGCM(AESGCM.generate_key(256))
        self.failure: Exception | None = None
        self.asked = 0

    async def wrap(self, key: bytes, *, context: Mapping[str, str]) -> bytes:
        """Encrypt ``key`` for this context."""
        self._ask()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, _associated(_pairs(context)))

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        """Decrypt; raises Unsealable for what was not wrapped here with this context."""
        self._ask()
        try:
            return self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _associated(_pairs(context)))
        except (InvalidTag, ValueError) as exc:
            raise Unsealable("not wrapped here for this context") from exc

    def _ask(self) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure


class SuiteSigner:
    """Implements ``latchpin.contracts.Signer`` with a key that every process of a test knows."""

    key_id = "suite"

    def __init__(self, key: bytes = b"of the suite") -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return hmac.digest(self._key, message, hashlib.sha256)

    def verify(self, message: bytes, signature: bytes, *, key_id: str) -> bool:
        """Compare; raises Unsealable for another key's name."""
        if key_id != self.key_id:
            raise Unsealable("signed by another signer")
        return hmac.compare_digest(self.sign(message), signature)


def _pairs(context: Mapping[str, str]) -> list[str]:
    return [part for pair in sorted(context.items()) for part in pair]


def _associated(place: Sequence[str]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)
