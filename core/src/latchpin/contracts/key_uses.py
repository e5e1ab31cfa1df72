"""What stands in the record store under keys, so that it can be counted and sealed anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latchpin.contracts.backend import Context

__all__ = ["KeyUse", "KeyedRow"]


@dataclass(frozen=True, slots=True)
class KeyedRow:
    """One row that something of was sealed or signed under a key.

    Attributes:
        key_ids: names of the keys, each once; ``""`` where the row does not tell.
        reseal: opens what is sealed in it, seals it under today's key, and writes that if nobody changed the row since
            it was read. None: it cannot be sealed anew, such as a signature.
        expires_at: from then on it is gone by itself; None: it lasts.

    ``reseal`` raises:
        RecordConflict: somebody changed or removed the row; it is to be read again.
        TimeoutError: somebody is at work on it; later.
        Unsealable: no key we have opens it, or it was moved.
        BackendUnavailable: the store cannot be asked.
    """

    key_ids: frozenset[str]
    reseal: Callable[[], Awaitable[object]] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One table, or one part of it, in which rows are sealed or signed.

    Attributes:
        name: what its rows are, for people, as in ``users' tokens``; no two uses have one name.
        rows: reads those that hold something under a key, all of them, for an opened gateway.
        purpose: of which keys, as ``Context.keys`` knows it.
    """

    name: str
    rows: Callable[[Context], AsyncIterator[KeyedRow]]
    purpose: str = "sealing"
