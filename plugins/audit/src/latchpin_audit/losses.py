"""What each worker could not record, kept where ``latchpin doctor`` and the metrics see it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Collection
from latchpin.errors import LatchpinError
from latchpin.model import CollectionSpec, Document
from latchpin.sdk.stores import scan_all

from latchpin_audit.outbox import Trouble

__all__ = ["LOSSES", "Loss", "Losses", "read_losses"]

LOSSES = CollectionSpec("audit_losses", disposable=True)
KEPT = timedelta(days=7)
TOLD_AFTER = 1.0
"""Seconds for which changes are gathered: what drops thousands is told once."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a worker could not record.

    Attributes:
        at: when it last said so.
        reason: why it does not go now; ``""``: it goes again.
    """

    worker: str
    dropped: int
    reason: str
    at: datetime


class Losses:
    """Tells those of this worker.

    Args:
        worker: names this process.
    """

    def __init__(self, documents: Collection, clock: Clock, worker: str) -> None:
        self._documents = documents
        self._clock = clock
        self._worker = worker
        self._telling: asyncio.Task[None] | None = None
        self._trouble = Trouble()

    def note(self, trouble: Trouble) -> None:
        """Tell of a change, in a moment."""
        self._trouble = trouble
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_later())

    async def close(self) -> None:
        """Tell the last of it, now."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
            await self._tell()

    async def _tell_later(self) -> None:
        try:
            await asyncio.sleep(TOLD_AFTER)
            await self._tell()
        finally:
            self._telling = None

    async def _tell(self) -> None:
        """A store that is away cannot be told; the log has it."""
        now, trouble = self._clock(), self._trouble
        body = {"dropped": trouble.dropped, "reason": trouble.reason[:300], "at": now.isoformat()}
        with suppress(LatchpinError):
            held = await self._documents.get(self._worker)
            document = Document(self._worker, body, expires_at=now + KEPT)
            await self._documents.put(replace(document, revision=0 if held is None else held.revision))


async def read_losses(documents: Collection) -> Sequence[Loss]:
    """Those of all workers of the last seven days."""
    return [
        Loss(each.id, int(each.body["dropped"]), each.body["reason"], datetime.fromisoformat(each.body["at"]))
        async for each in scan_all(documents)
    ]
