"""Names that an MCP server gives to what belongs to one person, as that person alone gets to see them.

A session, a task or a state of a half-done request is known to its server by a name, and whoever says it is taken for
its owner. What leaves here is therefore sealed for one person at one gateway (AES-SIV, RFC 5297): the same name always
looks alike to them, opens for nobody else, and has nothing to do with any token, which changes when it is renewed.
"""

from __future__ import annotations

import binascii
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from latchpin.contracts import Cipher, KeyValueRecords
from latchpin.model import Caller, Gateway
from latchpin.sdk.keys import SharedKeys
from latchpin.sdk.oauth import base64url

__all__ = ["Binder", "Bindings", "Kind", "NotBound"]

Kind = Literal[
    "session", "session that opens links", "links without session", "task", "state", "authorization", "person"
]
"""What a name names. The session of a program that asks its person to open links is a kind of its own, so that nothing
has to be kept to know that; where the server has no sessions, the gateway gives such a program one of its own.
``authorization`` and ``person`` are of the gateway's own, too."""


class NotBound(Exception):
    """The name was not given to this person at this gateway."""


class Binder:
    """Seals and opens names for one person at one gateway.

    Args:
        keys: today's, then earlier ones.
        place: what all its names are bound to.
    """

    def __init__(self, keys: tuple[bytes, ...], place: tuple[str, ...]) -> None:
        self._ciphers = [AESSIV(key) for key in keys]
        self._place = [part.encode() for part in place]

    def bind(self, kind: Kind, name: str) -> str:
        """What the person is given for ``name``: letters, digits, ``-`` and ``_``. An empty name stays empty."""
        if not name:
            return name
        sealed = self._ciphers[0].encrypt(name.encode("utf-8", "surrogatepass"), [kind.encode(), *self._place])
        return base64url.encode(sealed)

    def release(self, kind: Kind, text: str) -> str:
        """The server's name for what the person calls ``text``.

        Raises:
            NotBound: it is another's, another kind's, another gateway's, or nobody's.
        """
        if not text:
            return text
        try:
            sealed = base64url.decode(text)
        except (binascii.Error, ValueError) as exc:
            raise NotBound from exc
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed, [kind.encode(), *self._place]).decode("utf-8", "surrogatepass")
            except (InvalidTag, ValueError):
                continue
        raise NotBound


class Bindings:
    """Makes binders, under keys that all workers share.

    Args:
        kept: where the keys are kept.
        cipher: what seals them there.
    """

    def __init__(self, kept: KeyValueRecords, cipher: Cipher) -> None:
        self._keys = SharedKeys(kept, cipher, "bindings")

    async def of(self, gateway: Gateway, caller: Caller) -> Binder:
        """The binder of ``caller`` at ``gateway``, as long as the gateway's URL stays what it is.

        Raises:
            BackendUnavailable: the keys cannot be read from the store.
        """
        return Binder(await self._keys.get(), (gateway.id, gateway.url, caller.email))
