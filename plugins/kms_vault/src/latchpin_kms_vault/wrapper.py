"""Wraps keys by the server's Transit engine; what a key is for is authenticated with it."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping

from latchpin.errors import Unsealable, UpstreamUnreadable

from latchpin_kms_vault.client import VaultClient
from latchpin_kms_vault.replies import AWAY, UNWRAPPING
from latchpin_kms_vault.settings import VaultSettings

__all__ = ["TransitWrapper"]

_WRAPPED = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}")
_LONGEST = 8_192


class TransitWrapper:
    """Implements ``latchpin.contracts.KeyWrapper`` with a key of the type aes256-gcm96, as new ones are.

    Args:
        client: asks the server.
        settings: name the key and the engine.
    """

    def __init__(self, client: VaultClient, settings: VaultSettings) -> None:
        self._client = client
        self._mount, self._key = settings.vault_transit_mount, settings.vault_transit_key

    async def wrap(self, key: bytes, *, context: Mapping[str, str]) -> bytes:
        """Wrap a key under the newest version of the Transit key."""
        body = {"plaintext": b64encode(key).decode(), "associated_data": _associated(context)}
        wrapped = (await self._ask("encrypt", body, "wrapping")).encode()
        if not _WRAPPED.fullmatch(wrapped):
            raise UpstreamUnreadable("the server's answer to wrapping is no wrapped key", remedy=AWAY)
        return wrapped

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        """Give the key, whichever version of the Transit key wrapped it."""
        if len(wrapped) > _LONGEST or not _WRAPPED.fullmatch(wrapped):
            raise Unsealable("this key was not wrapped by OpenBao or Vault, or it is damaged")
        body = {"ciphertext": wrapped.decode(), "associated_data": _associated(context)}
        plain = await self._ask("decrypt", body, UNWRAPPING)
        try:
            return b64decode(plain, validate=True)
        except ValueError:
            raise UpstreamUnreadable("the server's answer to unwrapping is no key", remedy=AWAY) from None

    async def _ask(self, what: str, body: Mapping[str, str], act: str) -> str:
        path = f"{self._mount}/{what}/{self._key}"
        denied = f"Give the login a policy with the capability 'update' on {path}: see docs/kms.md."
        data = (await self._client.ask(path, body, act=act, denied=denied)).get("data")
        found = data.get("plaintext" if what == "decrypt" else "ciphertext") if isinstance(data, dict) else None
        if not isinstance(found, str):
            raise UpstreamUnreadable(f"the server's answer to {act} lacks what was asked for", remedy=AWAY)
        return found


def _associated(context: Mapping[str, str]) -> str:
    """The context as one text that no other context has: as JSON, in the order of its names."""
    return b64encode(json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode()).decode()
