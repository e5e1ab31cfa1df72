"""The built-in cipher: AES-256-GCM with the record's place as associated data."""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from latchpin.contracts import ChangingKeys, Keys
from latchpin.errors import Unsealable
from latchpin.model import Sealed
from latchpin.oauth import base64url

__all__ = ["AesGcmCipher"]

_FORM = "v1"
_NONCE_BYTES = 12


class AesGcmCipher:
    """Seals as ``v1.{key id}.{base64url of nonce and ciphertext}``.

    The nonce is random: 96 bits stay safe for 2**32 seals under one key (NIST SP 800-38D section 8.3). The
    associated data is the place's parts, each with its length before it, so that no two places read alike.
    """

    def __init__(self, ring: Keys) -> None:
        self._ring = ring
        self._ciphers: dict[str, AESGCM] = {}

    @property
    def changes(self) -> bool:
        """Whether today's key may become another one while we run."""
        return isinstance(self._ring, ChangingKeys) and self._ring.changes

    def key_of(self, sealed: Sealed) -> str:
        """Name the key that a sealed value says it was sealed under."""
        form, _, rest = sealed.partition(".")
        return rest.partition(".")[0] if form == _FORM else ""

    @property
    def key_id(self) -> str:
        """Names today's key."""
        return self._ring.current.id

    def seal(self, plaintext: str, *, associated_data: Sequence[str]) -> Sealed:
        """Encrypt under today's key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id = self._ring.current.id
        sealed = nonce + self._cipher(key_id).encrypt(nonce, plaintext.encode(), _associated(associated_data))
        return Sealed(f"{_FORM}.{key_id}.{base64url.encode(sealed)}")

    def unseal(self, sealed: Sealed, *, associated_data: Sequence[str]) -> str:
        """Decrypt with whichever key sealed it."""
        form, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if form != _FORM or self._ring.find(key_id) is None:
            raise Unsealable("sealed under a key that this gateway does not have")
        try:
            raw = base64url.decode(text)
            plain = self._cipher(key_id).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _associated(associated_data))
        except (InvalidTag, binascii.Error, ValueError) as exc:
            raise Unsealable("the sealed value is damaged or was moved from another record") from exc
        return plain.decode()

    def _cipher(self, key_id: str) -> AESGCM:
        if (cipher := self._ciphers.get(key_id)) is None:
            key = self._ring.find(key_id)
            assert key is not None  # noqa: S101  callers have looked
            cipher = self._ciphers[key_id] = AESGCM(key.key)
        return cipher


def _associated(place: Sequence[str]) -> bytes:
    parts = [part.encode() for part in place]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
