"""What a store may see of a secret."""

from __future__ import annotations

from typing import NewType

__all__ = ["Sealed"]

Sealed = NewType("Sealed", str)
"""Ciphertext of a secret, as URL-safe text. Only a ``Cipher`` makes or opens one."""
