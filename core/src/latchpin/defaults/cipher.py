"""The built-in cipher, as it is offered; ``aes_gcm`` has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from latchpin.contracts import Backend, Cipher, Context
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.settings import Settings


@asynccontextmanager
async def open_cipher(settings: Settings, context: Context) -> AsyncIterator[Cipher]:  # noqa: ARG001
    """Derive the keys; nothing to close."""
    from latchpin.defaults.aes_gcm import AesGcmCipher  # noqa: PLC0415  loaded when opened

    yield AesGcmCipher(context.keys("sealing"))


@hookimpl
def latchpin_cipher() -> Backend[Settings, Cipher]:
    """Offer the cipher that CIPHER=aes-gcm, the default, selects."""
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    return Backend("aes-gcm", "AES-GCM", Settings, open_cipher)
