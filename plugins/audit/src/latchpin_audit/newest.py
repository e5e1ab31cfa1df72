"""The newest entries of the audit log, as people look for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchpin_audit.chain_sink import CALL, describe_call
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Names
from latchpin_audit.reading import describe

__all__ = ["Query", "Slice", "find_newest"]

_PAGE = 200
MOST_READ = 2_000
"""So many entries are looked through for one answer; the next goes on behind them."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        calls: MCP calls, and not what was done.
        text: a part of what an entry says: an address, a tool, a gateway's name or id, what happened. In any case.
        before: only entries with lower numbers; 0: all.
        limit: how many at most.
    """

    calls: bool = False
    text: str = ""
    before: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Slice:
    """What was found.

    Attributes:
        entries: each as the export has it, with addresses of those who are not forgotten; the newest first.
        earlier: ``before`` of the next query; 0: there are no earlier entries.
    """

    entries: list[dict[str, Any]]
    earlier: int


async def find_newest(log: AuditLog, query: Query, gateways: Mapping[str, str]) -> Slice:
    """Look, the newest first.

    Args:
        log: where.
        query: for what.
        gateways: names, by id.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    found: list[dict[str, Any]] = []
    names = Names(log.pseudonyms)
    before, read, wanted = query.before, 0, query.text.lower()
    while read < MOST_READ:
        page = await log.records.list_newest(before=before, limit=_PAGE)
        for entry in page:
            before, read = entry.number, read + 1
            if (entry.event == CALL) is not query.calls:
                continue
            shown = await (describe_call if query.calls else describe)(entry, names)
            shown["gateway_name"] = gateways.get(entry.gateway_id, "")
            if not wanted or wanted in _text(shown):
                found.append(shown)
            if len(found) == query.limit:
                return Slice(found, before if before > 1 else 0)
        if len(page) < _PAGE:
            return Slice(found, 0)
    return Slice(found, before if before > 1 else 0)


def _text(shown: Mapping[str, Any]) -> str:
    """All that an entry says, but for what proves it."""
    facts = shown.get("facts", {})
    said = [value for name, value in shown.items() if name not in {"facts", "previous", "key_id", "signature"}]
    return "\n".join(str(each) for each in [*said, *facts.values()]).lower()
