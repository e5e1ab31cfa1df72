"""The root secret, its earlier values, and the keys derived from them, one for each purpose."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, SecretStr

from latchpin.configuration import DEFAULT_SECRET, SecretWords
from latchpin.settings import Settings

__all__ = ["DerivedKey", "KeyRing", "RootSecrets"]


class RootSecrets(Settings):
    """The variables that hold the root secrets."""

    auth_encryption_secret: SecretStr = Field(SecretStr(DEFAULT_SECRET), description="Root of all derived keys.")
    auth_encryption_secrets_old: SecretWords = Field((), description="Earlier secrets: verify and unseal only.")


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key for one purpose. ``id`` names it without telling anything about it."""

    id: str
    key: bytes = field(repr=False)


class KeyRing:
    """The keys of one purpose: today's, and those of earlier secrets by their id.

    Derivation is HKDF-SHA256 (RFC 5869) with the purpose as its label, done once at the start. The id is a
    hash of the derived key, so equal secrets have equal ids on every instance.
    """

    def __init__(self, secrets: RootSecrets, purpose: str) -> None:
        self.current = _derive(secrets.auth_encryption_secret, purpose)
        keys = [self.current, *(_derive(old, purpose) for old in secrets.auth_encryption_secrets_old)]
        self._by_id = {key.id: key for key in reversed(keys)}

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``, if it is one of ours."""
        return self._by_id.get(key_id)


def _derive(secret: SecretStr, purpose: str) -> DerivedKey:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"latchpin {purpose} v1".encode())
    key = hkdf.derive(secret.get_secret_value().encode())
    return DerivedKey(id=hashlib.sha256(b"latchpin key id\0" + key).hexdigest()[:8], key=key)
