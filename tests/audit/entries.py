"""Entries to be kept, as they would stand in a log."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from latchpin_audit.entry import AuditEntry
from latchpin_testing.samples import new_id


def audit_entries(now: datetime, count: int, *, gateway_id: str | None = None) -> list[AuditEntry]:
    """The first ``count`` entries of an audit log, each after the one before; their signatures mean nothing."""
    entries: list[AuditEntry] = []
    for number in range(1, count + 1):
        entries.append(
            AuditEntry(
                number=number,
                at=now + timedelta(microseconds=number),
                event="token.disconnected",
                actor="person-0123456789abcdef01234567",
                subject="person-89abcdef0123456789abcdef",
                gateway_id=gateway_id or new_id(),
                facts={"answer": "the server said '\u00fc'"} if number % 2 else {},
                previous=entries[-1].signature if entries else "",
                key_id="suite",
                signature=secrets.token_hex(32),
            )
        )
    return entries
