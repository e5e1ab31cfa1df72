"""Random secrets that are given out once: only a hash is kept, and what comes back is compared in constant time. Pure.

A plain SHA-256 will do: nobody guesses as many random bits as these have.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["hash_secret", "is_secret"]


def hash_secret(secret: str) -> str:
    """What is kept of a secret: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()


def is_secret(presented: str, kept: str) -> bool:
    """Whether ``presented`` is the secret of which ``kept`` is the hash; ``""`` is nobody's."""
    return bool(kept) and hmac.compare_digest(hash_secret(presented), kept)
