"""Writes the audit log: notes that come at once go out together, and of all workers one at a time extends the chain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from latchpin.contracts import Context, Signer
from latchpin.errors import LatchpinError, RecordConflict
from latchpin.model import CLIENT_ITSELF, COMPANY, Fact
from latchpin.sdk.stores import Batcher

from latchpin_audit.chain import build_chain
from latchpin_audit.entry import AuditEntry, AuditNote
from latchpin_audit.pseudonyms import COMPANYS, GATEWAY, Pseudonyms
from latchpin_audit.records import AUDIT, AuditRecords

__all__ = ["AuditLog"]

_log = logging.getLogger("latchpin.audit")

_NOBODY = {CLIENT_ITSELF: GATEWAY, COMPANY: COMPANYS}
_GROUPS = 100
"""What was handed in by so many at most is written together."""
_ATTEMPTS = 100
_PAUSE = 0.005
"""Seconds between two tries while other workers extend the chain."""


class AuditLog:
    """Records what was done, once it was done.

    Args:
        records: where.
        signer: signs each entry.
        pseudonyms: stand for people.
        pause: waits that many seconds; tests give one that does not.
    """

    def __init__(
        self,
        records: AuditRecords,
        signer: Signer,
        pseudonyms: Pseudonyms,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.records = records
        self.signer = signer
        self.pseudonyms = pseudonyms
        self._pause = pause
        self._last: AuditEntry | None = None
        self._batcher: Batcher[Sequence[AuditNote], None] = Batcher(self._send, limit=_GROUPS)

    @classmethod
    def of(cls, context: Context) -> Self:
        """The log of a gateway."""
        records = AuditRecords(context.collection(AUDIT))
        return cls(records, context.signer, Pseudonyms(context.kept, context.cipher))

    async def record(self, fact: Fact) -> None:
        """Record an act, if ``fact`` is one; returns once the entry is kept.

        What was done is not undone because its record fails: that is logged as an error, with what is missing.
        """
        if fact.actor:
            await self.keep(fact)

    async def keep(self, fact: Fact) -> bool:
        """Record ``fact``, and say whether it is kept."""
        gateway = fact.gateway_id or "(none)"
        try:
            names = await self._look(fact)
            who, whose = ((names | _NOBODY).get(person, "") for person in (fact.actor, fact.subject))
            facts = {name: str(value) for name, value in fact.details.items()}
            note = AuditNote(fact.at, fact.name, who, whose, fact.gateway_id, facts)
            naming = (self.pseudonyms.name(person, pseudonym) for person, pseudonym in names.items())
            named = asyncio.gather(*naming, return_exceptions=True)
            await self._batcher.submit([note])
            for failure in filter(None, await named):  # the person's next entry keeps the name
                _log.warning("The audit log cannot say yet whose a pseudonym is: %s", failure)
        except LatchpinError as exc:
            reason = exc.detail or exc.public
            _log.error("The audit log lacks the entry '%s' for gateway %s: %s", fact.name, gateway, reason)
        except Exception:  # noqa: BLE001  a store may fail in any way
            _log.exception("The audit log lacks the entry '%s' for gateway %s", fact.name, gateway)
        else:
            return True
        return False

    async def append(self, notes: Sequence[AuditNote]) -> None:
        """Keep ``notes``, behind each other.

        Raises:
            BackendUnavailable, RecordConflict: they are not all kept; the first ones may be.
        """
        await self._batcher.submit(notes)

    async def close(self) -> None:
        """Let what was handed in be written, before the stores are closed."""
        await self._batcher.close()

    async def _look(self, fact: Fact) -> dict[str, str]:
        """The pseudonyms of the people in a fact. Whether the last entry still stands is asked in the same trip."""
        people = {fact.actor, fact.subject} - {"", *_NOBODY}
        looks: list[Awaitable[object]] = []
        if self._last is not None and not self.records.has_seen(self._last.number):
            looks.append(self.records.stands(self._last.number))
        found = await asyncio.gather(*map(self.pseudonyms.look, people), *looks)
        return {person: str(pseudonym) for person, pseudonym in zip(people, found, strict=False)}

    async def _send(self, groups: Sequence[Sequence[AuditNote]]) -> Sequence[None]:
        rest = [note for notes in groups for note in notes]
        for _ in range(_ATTEMPTS):
            entries = build_chain(self._last, rest, self.signer)
            try:
                kept = await self.records.append(entries)
            except RecordConflict:
                kept = 0
            rest = rest[kept:]
            if not rest:
                self._last = entries[-1]
                return [None] * len(groups)
            await self._pause(_PAUSE)  # another worker was faster: go on behind what it wrote
            self._last = await self.records.last()
        raise RecordConflict("other workers kept extending the audit log")
