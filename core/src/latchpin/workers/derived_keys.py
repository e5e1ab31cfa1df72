"""The keys that follow from AUTH_ENCRYPTION_SECRET and its earlier values, one for each purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from latchpin.contracts import DerivedKey, Keys

__all__ = ["KeyRing", "SwitchedKeys"]


class KeyRing:
    """Implements ``latchpin.contracts.Keys``: the keys of one purpose, today's and those of earlier secrets.

    Derivation is HKDF-SHA256 (RFC 5869) with the purpose as its label, done once at the start. The id is a
    hash of the derived key, so equal secrets have equal ids on every instance.

    Args:
        secrets: today's, then the earlier ones.
        purpose: what the keys are for.

    Attributes:
        all: the keys, in the order of the secrets.
    """

    def __init__(self, secrets: Sequence[SecretStr], purpose: str) -> None:
        self.all = tuple(_derive(secret, purpose) for secret in secrets)
        self.current = self.all[0]
        self._by_id = {key.id: key for key in reversed(self.all)}

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``, if it is one of ours."""
        return self._by_id.get(key_id)


class SwitchedKeys:
    """Implements ``latchpin.contracts.Keys`` and ``ChangingKeys``: those of the settings until there are others.

    Args:
        own: those of the settings.
        others: gives the others; None as long as there are none.
    """

    changes = True

    def __init__(self, own: Keys, others: Callable[[], Keys | None]) -> None:
        self._own = own
        self._others = others
        self._found: Keys | None = None

    @property
    def current(self) -> DerivedKey:
        """Today's key."""
        return self._keys().current

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``, if it is one of ours."""
        return self._keys().find(key_id)

    def _keys(self) -> Keys:
        if self._found is None:
            self._found = self._others()
        return self._own if self._found is None else self._found


def _derive(secret: SecretStr, purpose: str) -> DerivedKey:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"latchpin {purpose} v1".encode())
    key = hkdf.derive(secret.get_secret_value().encode())
    return DerivedKey.named(key)
