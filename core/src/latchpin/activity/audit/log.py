"""Writes the audit log: notes that come at once go out together, and of all workers one at a time extends the chain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from latchpin.activity.audit.chain import build_chain
from latchpin.activity.audit.pseudonyms import GATEWAY, Pseudonyms
from latchpin.contracts.backend import Clock
from latchpin.contracts.keys import Signer
from latchpin.errors import LatchpinError, RecordConflict
from latchpin.model import CLIENT_ITSELF
from latchpin.model.audit import AuditEntry, AuditEvent, AuditNote
from latchpin.records.audit import AuditRecords
from latchpin.workers.batching import Batcher

__all__ = ["AuditLog"]

_log = logging.getLogger("latchpin.audit")

_ATTEMPTS = 100
_PAUSE = 0.005
"""Seconds between two tries while other workers extend the chain."""


class AuditLog:
    """Records what was done, once it was done.

    Args:
        records: where; None records nothing (``AUDIT_LOG=false``).
        signer: signs each entry.
        pseudonyms: stand for people.
        clock: the gateway's.
        pause: waits that many seconds; tests give one that does not.
    """

    def __init__(
        self,
        records: AuditRecords | None,
        signer: Signer | None = None,
        pseudonyms: Pseudonyms | None = None,
        clock: Clock | None = None,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._signer = signer
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._pause = pause
        self._last: AuditEntry | None = None
        self._batcher: Batcher[AuditNote, None] = Batcher(self._send)

    @classmethod
    def off(cls) -> Self:
        """One that records nothing."""
        return cls(None)

    async def record(
        self, event: AuditEvent, *, actor: str, gateway_id: str = "", subject: str = "", **facts: str
    ) -> bool:
        """Record that ``event`` was done; returns once the entry is kept, and whether it is.

        Args:
            event: what.
            actor: the address of who did it, or ``CLIENT_ITSELF`` for the gateway.
            gateway_id: at which gateway.
            subject: the address of whose connection it concerns.
            facts: a few words more; no secret and no address.

        What was done is not undone because its record fails: that is logged as an error, with what is missing.
        """
        if self._records is None or self._clock is None:
            return False
        try:
            who, whose = await self._name(actor), await self._name(subject)
            await self._batcher.submit(AuditNote(self._clock(), event, who, whose, gateway_id, facts))
        except LatchpinError as exc:
            _log.error(
                "The audit log lacks the entry '%s' for gateway %s: %s",
                event,
                gateway_id or "(none)",
                exc.detail or exc.public,
            )
        except Exception:  # noqa: BLE001  a store may fail in any way
            _log.exception("The audit log lacks the entry '%s' for gateway %s", event, gateway_id or "(none)")
        else:
            return True
        return False

    async def close(self) -> None:
        """Let what was handed in be written, before the stores are closed."""
        await self._batcher.close()

    async def _name(self, person: str) -> str:
        if not person or self._pseudonyms is None:
            return ""
        return GATEWAY if person == CLIENT_ITSELF else await self._pseudonyms.of(person)

    async def _send(self, notes: Sequence[AuditNote]) -> Sequence[None]:
        if self._records is None or self._signer is None:
            return [None] * len(notes)
        rest = notes
        for _ in range(_ATTEMPTS):
            entries = build_chain(self._last, rest, self._signer)
            try:
                kept = await self._records.append(entries)
            except RecordConflict:
                kept = 0
            rest = rest[kept:]
            if not rest:
                self._last = entries[-1]
                return [None] * len(notes)
            await self._pause(_PAUSE)  # another worker was faster: go on behind what it wrote
            self._last = await self._records.last()
        raise RecordConflict("other workers kept extending the audit log")
