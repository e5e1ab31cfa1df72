"""Counts what stands under each key, table by table: the proof that a key is needed no more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from latchpin.contracts import Context, KeyUse
from latchpin.errors import BackendUnavailable
from latchpin.model import CollectionSpec
from latchpin.sdk.keys import collection_use

from latchpin_key_ring.live import SEALING

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Services

__all__ = ["Counts", "count_rows", "uses_of"]

LEFT_BEHIND = CollectionSpec("core_revoked_tokens", sealed=frozenset({"token"}))
"""Tokens that ``latchpin-offboarding`` still has to have revoked. They were the core's before, so they may be there
where it is not installed, and nobody names them: a key that went would take them along."""
_AT_ONCE = 200
_TRIES = 3


@dataclass(slots=True)
class Counts:
    """How many rows stand under which key.

    Attributes:
        sealed: key id to table to rows; ``""`` for what does not name its key.
        proved: likewise what was signed, by the purpose and id of the key.
        last_at: of rows that cannot be sealed anew, by key: when the last of them is gone.
        tables: every table that was counted, with all its rows.
    """

    sealed: dict[str, Counter[str]] = field(default_factory=dict)
    proved: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    last_at: dict[str, datetime] = field(default_factory=dict)
    tables: Counter[str] = field(default_factory=Counter)

    def under(self, key_id: str) -> Mapping[str, int]:
        """The rows that are sealed under a key, by table."""
        return dict(self.sealed.get(key_id, {}))

    def signed(self, purpose: str, key_id: str) -> Mapping[str, int]:
        """The rows that a key of that purpose signed, by table."""
        return dict(self.proved.get((purpose, key_id), {}))

    def besides(self, key_id: str) -> int:
        """How many rows stand under another key than this one."""
        return sum(counts.total() for each, counts in self.sealed.items() if each != key_id)


def uses_of(services: Services) -> Sequence[KeyUse]:
    """All that is sealed or signed: what plugins name, what they opened without naming it, and what one left behind."""
    found = {use.name: use for use in services.key_uses}
    for spec in (*services.declared.values(), LEFT_BEHIND):
        if spec.sealed:
            use = collection_use(spec)
            found.setdefault(use.name, use)
    return list(found.values())


async def count_rows(context: Context, uses: Iterable[KeyUse]) -> Counts:
    """Count all rows of ``uses``, from the beginning if the store does not answer for a moment.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    uses = list(uses)
    for _ in range(_TRIES - 1):
        try:
            return await _count(context, uses)
        except BackendUnavailable as exc:
            await asyncio.sleep(exc.retry_after)
    return await _count(context, uses)


async def _count(context: Context, uses: Sequence[KeyUse]) -> Counts:
    counts, number = Counts(), 0
    for use in uses:
        counts.tables[use.name] += 0
        async for row in use.rows(context):
            counts.tables[use.name] += 1
            for key_id in row.key_ids:
                if use.purpose != SEALING:
                    counts.proved.setdefault((use.purpose, key_id), Counter())[use.name] += 1
                    continue
                counts.sealed.setdefault(key_id, Counter())[use.name] += 1
                if row.reseal is None and row.expires_at is not None:
                    counts.last_at[key_id] = max(row.expires_at, counts.last_at.get(key_id, row.expires_at))
            number += 1
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # a gateway that serves goes on in between
    return counts
