"""Random keys that all workers share: made once, by whoever comes first, and kept sealed.

Sessions and bearer tokens are signed with these and never with anything derived from
AUTH_ENCRYPTION_SECRET: whoever guesses a weak secret must not be able to sign in with it.
"""

from __future__ import annotations

import secrets

from latchpin.contracts import Cipher, KeyNaming, KeyValueRecords
from latchpin.errors import Unsealable
from latchpin.model import Sealed
from latchpin.oauth import base64url

__all__ = ["KEY_BYTES", "PREFIX", "SharedKeys", "forget_keys", "random_keys"]

KEY_BYTES = 32
PREFIX = "key:"
"""Begins the names that they are kept under."""


async def random_keys(kept: KeyValueRecords, cipher: Cipher, name: str) -> tuple[bytes, ...]:
    """Today's key called ``name``, then the earlier ones that can still be unsealed; the same for all workers.

    Each AUTH_ENCRYPTION_SECRET has its own generation, kept with the key id it is sealed under. A changed
    secret therefore makes a new key instead of failing: people sign in again, or, while the earlier secret
    is in AUTH_ENCRYPTION_SECRETS_OLD, go on with what they have. Sealed anew, a generation stays, and the newest one
    is today's. Where the cipher's key changes while the gateway runs (``KeyNaming.changes``), a new one is made only
    if none opens: the workers that run would not know it.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    lasting = isinstance(cipher, KeyNaming) and cipher.changes
    found: list[bytes] = []
    today: int | None = None
    generation = 1
    while True:
        slot = f"{PREFIX}{name}:{generation}"
        stored = await kept.get(slot)
        if stored is None and today is not None:
            return (found.pop(today), *reversed(found))
        stored = stored or await kept.put(slot, _seal_new(cipher, slot))
        key_id, _, sealed = stored.partition(" ")
        key = _unseal(cipher, slot, sealed)
        if key is not None:
            found.append(key)
            today = len(found) - 1 if lasting or key_id == cipher.key_id else today
        generation += 1


async def forget_keys(kept: KeyValueRecords, name: str) -> None:
    """Remove every generation of the key called ``name``; BackendUnavailable if the store cannot be asked."""
    generation = 1
    while await kept.take(f"{PREFIX}{name}:{generation}") is not None:
        generation += 1


def _seal_new(cipher: Cipher, slot: str) -> str:
    text = base64url.encode(secrets.token_bytes(KEY_BYTES))
    return f"{cipher.key_id} {cipher.seal(text, associated_data=(slot,))}"


def _unseal(cipher: Cipher, slot: str, sealed: str) -> bytes | None:
    try:
        key = base64url.decode(cipher.unseal(Sealed(sealed), associated_data=(slot,)))
    except (Unsealable, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


class SharedKeys:
    """The keys called ``name``, asked for once by each process."""

    def __init__(self, kept: KeyValueRecords, cipher: Cipher, name: str) -> None:
        self._kept = kept
        self._cipher = cipher
        self._name = name
        self._keys: tuple[bytes, ...] = ()

    async def get(self) -> tuple[bytes, ...]:
        """Today's key, then earlier ones. Raises BackendUnavailable as long as the first asking fails."""
        if not self._keys:
            self._keys = await random_keys(self._kept, self._cipher, self._name)
        return self._keys
