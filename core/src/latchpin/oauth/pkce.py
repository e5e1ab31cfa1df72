"""Proof Key for Code Exchange (RFC 7636)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from latchpin.oauth import base64url

__all__ = ["S256", "build_verifier"]

VERIFIER_BYTES = 32


def build_verifier(random_bytes: Callable[[int], bytes]) -> str:
    """Make a code verifier: 43 characters from 256 random bits (section 4.1)."""
    return base64url.encode(random_bytes(VERIFIER_BYTES))


class S256:
    """The method every server must support and we always use (section 4.2)."""

    name = "S256"

    def challenge(self, verifier: str) -> str:
        """``BASE64URL(SHA256(verifier))``, 43 characters."""
        return base64url.encode(hashlib.sha256(verifier.encode()).digest())
