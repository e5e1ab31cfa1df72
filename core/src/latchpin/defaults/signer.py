"""The built-in signer: HMAC-SHA256 under a key derived from AUTH_ENCRYPTION_SECRET."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from latchpin.contracts import Backend, Context, DerivedKey, Keys, Signer
from latchpin.errors import Unsealable
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.settings import Settings

__all__ = ["HmacSigner"]


class HmacSigner:
    """HMAC-SHA256 (RFC 2104) with key rotation; see ``latchpin.contracts.Signer``."""

    def __init__(self, ring: Keys) -> None:
        self._ring = ring
        self._begun: dict[str, hmac.HMAC] = {}
        """By key id, what hashing a key comes to: half of what a signature costs."""

    @property
    def key_id(self) -> str:
        """Names today's key."""
        return self._ring.current.id

    def sign(self, message: bytes) -> bytes:
        """Sign under today's key: 32 bytes."""
        return self._sign(self._ring.current, message)

    def verify(self, message: bytes, signature: bytes, *, key_id: str) -> bool:
        """Compare in constant time; raises Unsealable for a key we do not have."""
        key = self._ring.find(key_id)
        if key is None:
            raise Unsealable("the signature was made under a key that this gateway does not have")
        return hmac.compare_digest(self._sign(key, message), signature)

    def _sign(self, key: DerivedKey, message: bytes) -> bytes:
        begun = self._begun.get(key.id)
        if begun is None:
            begun = self._begun[key.id] = hmac.new(key.key, digestmod=hashlib.sha256)
        signing = begun.copy()
        signing.update(message)
        return signing.digest()


@asynccontextmanager
async def open_signer(settings: Settings, context: Context) -> AsyncIterator[Signer]:  # noqa: ARG001
    """Derive the keys; nothing to close."""
    yield HmacSigner(context.keys("state signature"))


@hookimpl
def latchpin_signer() -> Backend[Settings, Signer]:
    """Offer the signer that SIGNER=hmac-sha256, the default, selects."""
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    return Backend("hmac-sha256", "HMAC-SHA256", Settings, open_signer)
