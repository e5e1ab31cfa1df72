"""The audit log on Redis: one list, in the order of the entries' numbers, which have no gaps."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from latchpin.errors import RecordConflict
from latchpin.model.audit import AuditEntry, dump, parse

from latchpin_redis_store.connection import Commands
from latchpin_redis_store.scripts import APPEND_AUDIT, LIST_AUDIT, PURGE_AUDIT

__all__ = ["RedisAudit"]

LOG = "latchpin:audit"


class RedisAudit:
    """Implements ``latchpin.contracts.AuditRecords``."""

    def __init__(self, commands: Commands) -> None:
        self._ask = commands.ask
        self._run = commands.run

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add them behind the last, in one step."""
        if not entries:
            return
        texts = [dump(entry) for entry in entries]
        if not await self._run(APPEND_AUDIT, [LOG], entries[0].number - 1, *texts):
            raise RecordConflict(f"the audit log does not end before entry {entries[0].number}")

    async def last(self) -> AuditEntry | None:
        """The newest."""
        text = await self._ask("LINDEX", LOG, -1)
        return None if text is None else parse(text)

    async def list(self, *, after: int = 0, limit: int) -> builtins.list[AuditEntry]:
        """Those behind ``after``."""
        if limit <= 0:
            return []
        return [parse(text) for text in await self._run(LIST_AUDIT, [LOG], after, limit)]

    async def purge(self, *, through: int) -> int:
        """Remove the oldest, but never the last."""
        return int(await self._run(PURGE_AUDIT, [LOG], through))
