"""Where the ring is kept: one document, signed as a whole, each key in it wrapped by the secret or a key service.

One document, so that no key can be taken out, put in or put back by somebody who can only write to the store. That
there is a ring is noted in another place as well: a ring that was emptied is no new one.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import replace

from latchpin.contracts import Context, DerivedKey, KeyWrapper
from latchpin.errors import Unsealable
from latchpin.model import CollectionSpec, Document, Sealed
from latchpin.sdk.keys import AesGcmCipher, HmacSigner
from latchpin.sdk.oauth import base64url
from latchpin.sdk.settings import CoreSettings, load

from latchpin_key_ring.errors import KeyRingUnusable
from latchpin_key_ring.ring import Ring, RingKey, dump_ring, parse_ring

__all__ = ["RING", "FixedKeys", "RingKeeper"]

RING = CollectionSpec("key_ring")
_ID = "ring"
_NOTED = "key-ring:begun"
_SIGNED = b"latchpin key ring\n"
KEY_BYTES = 32

_RESTORE = (
    "Put the record store back from a backup that has the ring. If there is none, what was sealed under it is lost: "
    "'latchpin keys rotate --begin-anew' begins another ring, and people authorize again."
)


class FixedKeys:
    """Implements ``latchpin.contracts.Keys``: those that follow from the settings."""

    def __init__(self, keys: Sequence[DerivedKey]) -> None:
        self.current = keys[0]
        self._by_id = {key.id: key for key in reversed(keys)}

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``, if it is one of them."""
        return self._by_id.get(key_id)


class RingKeeper:
    """Reads and writes the ring, and wraps its keys.

    Args:
        context: what the gateway is opened with; the record store is open.
    """

    def __init__(self, context: Context) -> None:
        self._documents = context.collection(RING)
        self._kept = context.kept
        self._signer = HmacSigner(FixedKeys(context.own_keys("key ring")))
        self._cipher = AesGcmCipher(FixedKeys(context.own_keys("key ring wrapping")))
        self._services = context.key_wrappers
        self._service = context.key_wrapper
        self._service_name = "" if self._service is None else load(CoreSettings).key_wrapper
        self._held = Document(_ID, {})
        self._known = ""

    @property
    def wraps_by(self) -> str:
        """What a key is wrapped by today, as ``RingKey.by`` says it."""
        return f"secret {self._cipher.key_id}" if self._service is None else f"service {self._service_name}"

    @property
    def signed_by_today(self) -> bool:
        """Whether the ring, as it was read last, is signed under today's AUTH_ENCRYPTION_SECRET."""
        return not self._held.revision or self._held.body.get("key") == self._signer.key_id

    async def read(self) -> Ring | None:
        """The ring; None if none was ever begun.

        Raises:
            KeyRingUnusable: it is gone, or was changed by somebody without the secret.
            BackendUnavailable: the store cannot be asked.
        """
        held = await self._documents.get(_ID)
        if held is None and (begun := await self._kept.get(_NOTED)) is None:
            return None
        held = held or await self._documents.get(_ID)  # it may have been begun between the two looks
        if held is None:
            raise KeyRingUnusable(
                f"the key ring {begun} was begun, and is no longer in the record store", remedy=_RESTORE
            )
        ring = self._proved(held)
        if ring.id != self._known:
            await self._require_own(ring)
        self._held = held
        return ring

    async def _require_own(self, ring: Ring) -> None:
        """A ring that was copied here from another gateway with the same secret is none of ours."""
        begun = await self._kept.put(_NOTED, ring.id)  # who wrote the ring may have been killed before it noted that
        if begun != ring.id:
            what = f"the key ring in the record store is {ring.id}, and the one that was begun here is {begun}"
            raise KeyRingUnusable(what, remedy=_RESTORE)
        self._known = ring.id

    async def write(self, ring: Ring) -> None:
        """Write ``ring`` in the place of the one that was read last.

        Raises:
            RecordConflict: somebody else has written it meanwhile; read it again.
        """
        text = dump_ring(ring)
        body = {"text": text, "key": self._signer.key_id, "signature": self._signer.sign(_SIGNED + text.encode()).hex()}
        self._held = await self._documents.put(replace(self._held, body=body))
        await self._kept.put(_NOTED, ring.id)

    async def drop(self) -> None:
        """Forget the ring, whatever is in its place: what was sealed under it is lost."""
        await self._documents.delete(_ID)
        await self._kept.take(_NOTED)
        self._held = Document(_ID, {})

    def _proved(self, held: Document) -> Ring:
        try:
            text, key_id = str(held.body["text"]), str(held.body["key"])
            signature = bytes.fromhex(held.body["signature"])
            holds = self._signer.verify(_SIGNED + text.encode(), signature, key_id=key_id)
        except Unsealable as exc:
            raise KeyRingUnusable(
                "the key ring was signed under an AUTH_ENCRYPTION_SECRET that these settings do not have",
                remedy="Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD. If it was stolen, or is lost: "
                "'latchpin keys rotate --begin-anew' begins another ring, and people authorize again.",
            ) from exc
        except (KeyError, TypeError, ValueError):
            text, holds = "", False
        if not holds:
            raise KeyRingUnusable(
                "the key ring was changed by somebody without AUTH_ENCRYPTION_SECRET", remedy=_RESTORE
            )
        try:
            return parse_ring(text)
        except ValueError as exc:
            raise KeyRingUnusable(f"the key ring cannot be read: {exc}", remedy="Update latchpin-key-ring.") from exc

    # -- wrapping -----------------------------------------------------------------------------------------

    async def wrap(self, ring_id: str, key: RingKey, plain: bytes) -> RingKey:
        """The key with ``plain`` wrapped in it.

        Raises:
            UpstreamError, ConfigurationError: the key service cannot, or does not.
        """
        if self._service is not None:
            wrapped = base64url.encode(await self._service.wrap(plain, context=_context(ring_id, key)))
        else:
            wrapped = self._cipher.seal(base64url.encode(plain), associated_data=_place(ring_id, key))
        return replace(key, wrapped=wrapped, by=self.wraps_by)

    async def unwrap(self, ring_id: str, key: RingKey) -> bytes:
        """Open a key.

        Raises:
            KeyRingUnusable: it does not open here; says what helps.
            UpstreamError, ConfigurationError: the key service cannot, or does not.
        """
        by, _, name = key.by.partition(" ")
        try:
            if by != "service":
                plain = base64url.decode(self._cipher.unseal(Sealed(key.wrapped), associated_data=_place(ring_id, key)))
            elif (service := self._service_called(name)) is None:
                raise KeyRingUnusable(
                    f"key {key.id} of the ring is wrapped by the key service '{name}'",
                    remedy=f"Set KEY_WRAPPER={name}. To move away from it, name it in KEY_WRAPPERS_OLD until "
                    "'latchpin keys reseal' has wrapped the ring anew.",
                )
            else:
                wrapped = base64url.decode(key.wrapped)
                plain = await service.unwrap(wrapped, context=_context(ring_id, key))
        except (Unsealable, binascii.Error, ValueError) as exc:
            what = f"key {key.id} of the ring does not open: it was moved from another ring or purpose, or is damaged"
            raise KeyRingUnusable(what, remedy=_RESTORE) from exc
        if len(plain) != KEY_BYTES:
            raise KeyRingUnusable(
                f"key {key.id} of the ring has {len(plain)} bytes and not {KEY_BYTES}", remedy=_RESTORE
            )
        return plain

    def _service_called(self, name: str) -> KeyWrapper | None:
        """Today's key service, or an earlier one, which still unwraps."""
        return self._service if name == self._service_name else self._services.get(name)


def _place(ring_id: str, key: RingKey) -> tuple[str, ...]:
    return ("key ring", ring_id, key.id, key.purpose)


def _context(ring_id: str, key: RingKey) -> dict[str, str]:
    return {"latchpin": "key ring", "ring": ring_id, "key": key.id, "purpose": key.purpose or "all"}
