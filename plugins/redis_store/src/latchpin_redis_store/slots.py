"""The slots of a cluster: in which one a command's keys lie, and which server has it. Pure."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from latchpin_redis_store.hosts import Place

__all__ = ["SLOTS", "Word", "read_slots", "slot_of"]

SLOTS = 16_384

Word: TypeAlias = str | bytes | int

_FIRST_OF_SCRIPT = 3
"""Where the first key stands behind EVAL, the script, and how many keys there are."""
_WITHOUT_KEY = frozenset({"PING", "TIME", "INFO", "SCAN", "CLUSTER"})


def slot_of(words: Sequence[Word]) -> int | None:
    """The slot of a command's first key, which is that of all its keys; None: it has no key."""
    if words[0] in _WITHOUT_KEY:
        return None
    key = words[_FIRST_OF_SCRIPT if words[0] == "EVAL" else 1]
    return _slot(key if isinstance(key, bytes) else str(key).encode(errors="surrogatepass"))


def _slot(key: bytes) -> int:
    """The cluster's specification, "Hash tags": what stands in the first braces counts, if anything does."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    tagged = start >= 0 and end > start + 1
    return crc_hqx(key[start + 1 : end] if tagged else key, 0) % SLOTS


def read_slots(reply: Sequence[Any], asked: Place) -> Iterator[tuple[range, Place]]:
    """Which slots lie where, from the answer to CLUSTER SLOTS.

    Args:
        reply: the answer.
        asked: who gave it; where it names no host, it does not know how it is reached itself.

    Raises:
        ValueError: it is no such answer.
    """
    try:
        for first, last, primary, *_ in reply:
            host = (primary[0] or b"").decode()
            yield range(first, last + 1), (asked[0] if host in {"", "?"} else host, int(primary[1]))
    except (TypeError, ValueError, IndexError, AttributeError) as exc:
        raise ValueError("the answer to CLUSTER SLOTS cannot be read") from exc
