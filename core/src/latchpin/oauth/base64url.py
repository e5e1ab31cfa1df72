"""Base64url without padding, as JOSE and PKCE write it (RFC 7515 section 2, RFC 7636 appendix A)."""

from __future__ import annotations

import base64
import binascii

__all__ = ["decode", "encode"]

_ALPHABET = bytes.maketrans(b"+/", b"-_")


def encode(raw: bytes) -> str:
    """``raw`` as letters, digits, ``-`` and ``_``."""
    return binascii.b2a_base64(raw, newline=False).translate(_ALPHABET, b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The reverse of ``encode``; full padding may be there too.

    Raises:
        ValueError: there is a character that base64url does not have, or the length cannot be.
    """
    bare = text.rstrip("=")
    padding = "=" * (-len(bare) % 4)
    if text not in {bare, bare + padding} or "+" in bare or "/" in bare:
        raise ValueError("this is no base64url")
    return base64.b64decode((bare + padding).encode("ascii"), altchars=b"-_", validate=True)
