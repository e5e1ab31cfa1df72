"""Records of calls in the audit log: entries of its chain like all others, their callers by pseudonym."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from latchpin.errors import Unsealable

from latchpin_audit.call_record import MEMBERS, CallRecord
from latchpin_audit.entry import AuditEntry, AuditNote
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Names

__all__ = ["CALL", "FACTS", "ChainSink", "describe_call"]

_log = logging.getLogger("latchpin.audit")

CALL = "mcp.call"
FACTS = tuple(name for name in MEMBERS if name not in {"at", "who", "gateway_id", "gateway"})
"""What an entry has among its facts; the rest are members of its own."""


class ChainSink:
    """Implements ``latchpin_audit.outbox.Sink``."""

    def __init__(self, log: AuditLog) -> None:
        self._audit = log

    async def write(self, records: Sequence[CallRecord]) -> None:
        """Keep them, in one piece. A person whose key cannot be opened stays unnamed.

        Raises:
            BackendUnavailable, RecordConflict: not now.
        """
        people = {email: await self._name(email) for email in {record.who for record in records}}
        await self._audit.append([_note(record, people[record.who]) for record in records])

    async def close(self) -> None:
        """Let it be written."""
        await self._audit.close()

    async def _name(self, email: str) -> str:
        try:
            return await self._audit.pseudonyms.of(email)
        except Unsealable:
            _log.exception("The audit log cannot name who makes calls: their key was sealed under another secret")
            return "person-unknown"


async def describe_call(entry: AuditEntry, names: Names | None = None) -> dict[str, Any]:
    """The entry of a call as JSON, its facts as members; with ``names``, also the caller's address."""
    about = {"number": entry.number, "at": entry.at.isoformat(), "who": entry.actor, "gateway_id": entry.gateway_id}
    shown = about | {name: entry.facts.get(name, "") for name in FACTS}
    if names is not None:
        shown["actor_address"] = shown["subject_address"] = await names.of(entry.actor)
    return shown


def _note(record: CallRecord, person: str) -> AuditNote:
    facts = {name: str(value) for name in FACTS if (value := getattr(record, name)) != ""}
    return AuditNote(record.at, CALL, person, person, record.gateway_id, facts)
