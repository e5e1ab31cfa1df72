"""How the entries of the audit log hang together: each is signed over the signature of the one before."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from latchpin.contracts import Signer
from latchpin.errors import Unsealable

from latchpin_audit.entry import AuditEntry, AuditNote

__all__ = ["ChainBroken", "build_chain", "check_chain"]

_PURPOSE = b"latchpin audit entry\n"
"""Begins what is signed, so that no other signature under the same key can pass for an entry's."""


class ChainBroken(Exception):
    """The log was changed, shortened in the middle, or written by somebody without the key.

    Args:
        number: the first entry that does not hold.
        reason: what is wrong with it.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"entry {number}: {reason}")
        self.number = number
        self.reason = reason


def build_chain(last: AuditEntry | None, notes: Sequence[AuditNote], signer: Signer) -> list[AuditEntry]:
    """Put ``notes``, in their order, behind ``last``."""
    entries: list[AuditEntry] = []
    for note in notes:
        number, previous = (last.number + 1, last.signature) if last is not None else (1, "")
        unsigned = AuditEntry(
            number=number,
            at=note.at,
            event=note.event,
            actor=note.actor,
            subject=note.subject,
            gateway_id=note.gateway_id,
            facts=dict(note.facts),
            previous=previous,
            key_id=signer.key_id,
            signature="",
        )
        last = _sign(unsigned, signer)
        entries.append(last)
    return entries


def check_chain(entries: Iterable[AuditEntry], signer: Signer, *, last: AuditEntry | None = None) -> AuditEntry | None:
    """Prove that ``entries`` follow on ``last`` and on each other; return the last of them.

    What was cut off at the end cannot be seen from here: keep the newest signature elsewhere and look for it.

    Raises:
        ChainBroken: names the first entry that does not hold.
    """
    for entry in entries:
        number, previous = (last.number + 1, last.signature) if last is not None else (1, "")
        if entry.number != number:
            raise ChainBroken(number, f"is missing; entry {entry.number} follows")
        if not hmac.compare_digest(entry.previous, previous):
            raise ChainBroken(number, "does not follow on the entry before it")
        _check_signature(entry, signer)
        last = entry
    return last


def _check_signature(entry: AuditEntry, signer: Signer) -> None:
    try:
        signature = bytes.fromhex(entry.signature)
        holds = signer.verify(_signed(entry), signature, key_id=entry.key_id)
    except ValueError:
        holds = False
    except Unsealable as exc:
        raise ChainBroken(
            entry.number, f"was signed by a key that this gateway does not have ({entry.key_id})"
        ) from exc
    if not holds:
        raise ChainBroken(entry.number, "was changed after it was written")


def _sign(entry: AuditEntry, signer: Signer) -> AuditEntry:
    return replace(entry, signature=signer.sign(_signed(entry)).hex())


def _signed(entry: AuditEntry) -> bytes:
    words = [
        entry.number, entry.at.isoformat(), entry.event, entry.actor, entry.subject, entry.gateway_id,
        sorted(entry.facts.items()), entry.previous, entry.key_id,
    ]  # fmt: skip
    return _PURPOSE + json.dumps(words, separators=(",", ":")).encode()
