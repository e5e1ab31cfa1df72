"""What a plugin gives to have a state store and a record store: three methods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

__all__ = ["KeyValue", "name_of", "prefix_of", "remove"]


class KeyValue(Protocol):
    """Texts under keys, in order.

    Keys are ASCII without blanks, up to some 3,000 characters; values are JSON, never empty. Each method is atomic,
    sees what any process wrote before, and raises BackendUnavailable if the store cannot be asked.
    """

    async def get(self, key: str) -> str | None:
        """Look. None if there is nothing."""

    async def swap(self, key: str, old: str | None, new: str | None, *, expires_at: datetime | None = None) -> bool:
        """Compare and swap: write ``new`` if ``old`` is what is stored now. False, and nothing changes, if it is not.

        Args:
            key: where.
            old: None: nothing is stored.
            new: None: remove what is stored, with every byte.
            expires_at: from then on the store may forget it by itself. It need not.
        """

    async def scan(self, begin: str, end: str, *, limit: int | None = None) -> Sequence[tuple[str, str]]:
        """Keys from ``begin`` up to and without ``end``, with their values, in the order of the keys' characters.

        At most ``limit`` of them; None: all.
        """


def name_of(*parts: str) -> str:
    """One key, made of parts that may hold anything."""
    return "/".join(quote(part, safe="") for part in parts)


def prefix_of(*parts: str) -> tuple[str, str]:
    """The keys that begin with these parts, for ``scan``."""
    stem = name_of(*parts)
    return f"{stem}/", f"{stem}0"  # the character after the slash


async def remove(store: KeyValue, key: str) -> bool:
    """Remove what is stored, whatever it is. False if there was nothing."""
    while (held := await store.get(key)) is not None:
        if await store.swap(key, held, None):
            return True
    return False
