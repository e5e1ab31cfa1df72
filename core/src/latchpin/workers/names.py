"""Names that are one person's, as that person alone gets to see them.

A session, a task or a state of a half-done request is known by a name, and whoever says it is taken for its owner. What
leaves here is therefore sealed for one place, such as one person at one gateway (AES-SIV, RFC 5297): the same name
always looks alike there, opens nowhere else, and has nothing to do with any token, which changes when it is renewed.
"""

from __future__ import annotations

import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from latchpin.oauth import base64url

__all__ = ["Binder", "NotBound"]


class NotBound(Exception):
    """The name was not given out at this place."""


@lru_cache(maxsize=32)
def _cipher(key: bytes) -> AESSIV:
    """Making one takes longer than what most places are used for, which is nothing."""
    return AESSIV(key)


class Binder:
    """Seals and opens names for one place.

    Args:
        keys: today's, then earlier ones.
        place: what all its names are bound to.
    """

    def __init__(self, keys: tuple[bytes, ...], place: tuple[str, ...]) -> None:
        self._keys = keys
        self._place = [part.encode() for part in place]

    def bind(self, kind: str, name: str) -> str:
        """What the person is given for ``name``: letters, digits, ``-`` and ``_``. An empty name stays empty."""
        if not name:
            return name
        sealed = _cipher(self._keys[0]).encrypt(name.encode("utf-8", "surrogatepass"), [kind.encode(), *self._place])
        return base64url.encode(sealed)

    def release(self, kind: str, text: str) -> str:
        """The name for what the person calls ``text``.

        Raises:
            NotBound: it is another's, another kind's, another place's, or nobody's.
        """
        if not text:
            return text
        try:
            sealed = base64url.decode(text)
        except (binascii.Error, ValueError) as exc:
            raise NotBound from exc
        for key in self._keys:
            try:
                return _cipher(key).decrypt(sealed, [kind.encode(), *self._place]).decode("utf-8", "surrogatepass")
            except (InvalidTag, ValueError):
                continue
        raise NotBound
