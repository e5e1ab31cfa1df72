"""Reads the audit log: page by page, proven from the oldest entry to the newest, written out for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from latchpin.contracts import Context, KeyedRow, Signer

from latchpin_audit.chain import ChainBroken, check_chain
from latchpin_audit.entry import AuditEntry
from latchpin_audit.pseudonyms import Names
from latchpin_audit.records import AUDIT, AuditRecords
from latchpin_audit.retention import trimmed_through

__all__ = ["Verdict", "describe", "read", "signed_rows", "verify"]

PAGE = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found.

    Attributes:
        entries: how many entries hold.
        begins: the number of the oldest one; more than 1 where earlier ones were removed in time.
        head: the last one that holds, as ``number:signature``; empty for an empty log. Kept elsewhere, it shows later
            whether the end was cut off.
        broken: what is wrong with the next one, if anything.
    """

    entries: int
    begins: int
    head: str
    broken: str | None


async def read(records: AuditRecords, *, after: int = 0) -> AsyncIterator[AuditEntry]:
    """Every entry behind the number ``after``, in order."""
    while page := await records.list(after=after, limit=PAGE):
        for entry in page:
            yield entry
        after = page[-1].number


async def signed_rows(context: Context) -> AsyncIterator[KeyedRow]:
    """Each entry, with the key that signed it; a signature stays as it is."""
    async for entry in read(AuditRecords(context.collection(AUDIT))):
        yield KeyedRow(frozenset({entry.key_id}))


async def verify(records: AuditRecords, signer: Signer, *, expect: str = "") -> Verdict:
    """Prove the chain from its beginning, or from the oldest entry that the store still holds.

    Args:
        records: where the log is.
        signer: knows the keys, earlier ones too.
        expect: a head that was noted before; the log must still have that entry.
    """
    last: AuditEntry | None = None
    count, begins, trimmed, seen = 0, 1, 0, not expect
    try:
        async for entry in read(records):
            if count == 0 and entry.number > 1:
                begins, last = entry.number, _gone_before(entry)
            last = check_chain([entry], signer, last=last)
            count, trimmed = count + 1, max(trimmed, trimmed_through(entry))
            seen = seen or _head(last) == expect
    except ChainBroken as exc:
        return Verdict(count, begins, _head(last) if count else "", str(exc))
    if trimmed < begins - 1:
        return Verdict(0, begins, "", f"entry 1: is missing; entry {begins} follows, and no entry says why")
    missing = None if seen else f"the entry {expect.partition(':')[0]} that was noted before is not in the log"
    return Verdict(count, begins, _head(last), missing)


async def describe(entry: AuditEntry, names: Names | None = None) -> dict[str, Any]:
    """An entry as JSON; with ``names``, also the addresses of those who are not forgotten."""
    shown = asdict(entry) | {"at": entry.at.isoformat()}
    if names is not None:
        for role in ("actor", "subject"):
            shown[f"{role}_address"] = await names.of(shown[role])
    return shown


def _gone_before(entry: AuditEntry) -> AuditEntry:
    """In the place of the one before, which the store has let go: what ``entry`` says of it."""
    return replace(entry, number=entry.number - 1, signature=entry.previous)


def _head(entry: AuditEntry | None) -> str:
    return "" if entry is None else f"{entry.number}:{entry.signature}"
