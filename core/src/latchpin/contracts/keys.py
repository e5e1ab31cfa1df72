"""What signs, what seals, what wraps keys, and how a code challenge is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from latchpin.model import Sealed

__all__ = [
    "ChangingKeys",
    "Cipher",
    "DerivedKey",
    "KeyNaming",
    "KeySource",
    "KeyWrapper",
    "Keys",
    "PkceMethod",
    "Signer",
]


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key for one purpose, 32 bytes. ``id`` names it without telling anything about it."""

    id: str
    key: bytes = field(repr=False)

    @classmethod
    def named(cls, key: bytes) -> DerivedKey:
        """Give ``key`` the name that follows from it: the same on every instance, and nobody learns the key from it."""
        return cls(id=hashlib.sha256(b"latchpin key id\0" + key).hexdigest()[:8], key=key)


class Keys(Protocol):
    """The keys of one purpose: one that signs or seals today, and those that only verify and unseal."""

    @property
    def current(self) -> DerivedKey:
        """Today's key. It may be another one from one call to the next where keys are fetched."""

    def find(self, key_id: str) -> DerivedKey | None:
        """The key called ``key_id``, today's or an earlier one; None if it is not known."""


@runtime_checkable
class ChangingKeys(Protocol):
    """Keys that say whether today's may become another while the gateway runs. Optional: without it, it does not.

    Attributes:
        changes: it may, as with keys that are fetched; then a worker that runs may have another one than the next does.
    """

    changes: bool


class KeySource(Protocol):
    """Gives keys that change while the gateway runs, such as those of a ring in the record store."""

    def keys(self, purpose: str, own: Keys) -> Keys:
        """Give the keys of ``purpose``, for as long as the gateway runs.

        ``own`` are those that follow from the settings. They are among those that verify and unseal, and today's is
        theirs while there is no other. Different purposes have unrelated keys.
        """


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

    def seal(self, plaintext: str, *, associated_data: Sequence[str]) -> Sealed:
        """Encrypt ``plaintext``; only ``unseal`` with equal ``associated_data`` (RFC 5116 section 2.1) opens it."""

    def unseal(self, sealed: Sealed, *, associated_data: Sequence[str]) -> str:
        """Decrypt.

        Raises:
            Unsealable: no key we have opens it, it is damaged, or it was sealed for another record.
        """


@runtime_checkable
class KeyNaming(Protocol):
    """A cipher that says under which key something was sealed. Optional: without it no rotation says when it is done.

    Attributes:
        changes: today's key may become another while the gateway runs, so it says nothing about the settings.
    """

    changes: bool

    def key_of(self, sealed: Sealed) -> str:
        """Name the key, whether we have it or not; ``""`` for what this cipher did not seal. Nothing is proved."""


class KeyWrapper(Protocol):
    """A key service: wraps the keys that this gateway makes, under a key that never leaves the service.

    Who keeps keys asks it once for each and holds the key in memory, so that no call waits for the service. The
    service may be away at any time: nothing is kept or sent unwrapped then, and who asked is told. ``context`` says
    what a key is for, such as ``{"purpose": "sealing", "day": "2026-11-30"}``: at most eight names and values of
    printable ASCII, 128 characters each. Services log it, so nothing in it is secret. What was wrapped opens with the
    same context only.
    """

    async def wrap(self, key: bytes, *, context: Mapping[str, str]) -> bytes:
        """Wrap a key of 512 bytes at most; the same key looks different each time.

        Raises:
            UpstreamError: the service did not answer within OAUTH_REQUEST_TIMEOUT, with all retries, or asks to wait.
            ConfigurationError: it refused: it does not know us, denies access, or the key there is disabled or gone.
        """

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        """Give the key that ``wrap`` wrapped, here or in another process.

        Raises:
            Unsealable: it is damaged, was wrapped with another context, or by something else.
            UpstreamError, ConfigurationError: as for ``wrap``; trying again later may help.
        """


class PkceMethod(Protocol):
    """One code challenge method (RFC 7636 section 4.2)."""

    @property
    def name(self) -> str:
        """The ``code_challenge_method`` on the wire, such as ``S256``."""

    def challenge(self, verifier: str) -> str:
        """Compute the challenge of a verifier."""
