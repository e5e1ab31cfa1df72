"""One entry of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["AuditEntry", "AuditNote"]


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What happened, before it has its place in the chain.

    Attributes:
        actor: who did it: a pseudonym, or ``gateway`` for what the gateway did by itself.
        subject: whose connection it concerns, as a pseudonym; empty where it concerns nobody's.
        gateway_id: which gateway; empty where none.
        facts: a few words more; no secret, and nothing that names a person.
    """

    at: datetime
    event: str
    actor: str
    subject: str
    gateway_id: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A note in its place.

    Attributes:
        number: 1 for the first, one more for each.
        previous: the signature of the entry before, empty for the first.
        key_id: names the key of ``signature``.
        signature: over everything else, as hexadecimal digits.
    """

    number: int
    at: datetime
    event: str
    actor: str
    subject: str
    gateway_id: str
    facts: Mapping[str, str]
    previous: str
    key_id: str
    signature: str
