"""Users' tools on Redis: a hash for each gateway, a field for each user, one JSON text with all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import StoredTool, ToolChanges

from latchpin_redis_store.codec import begins, foreign, text_of, to_json
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.scripts import SWAP_BELOW

__all__ = ["RedisTools"]

GATEWAYS = "latchpin:gateways"
TRIES = 100
_GONE = -1

Rows: TypeAlias = dict[str, dict[str, Any]]
"""Tool name to definition, created_at and updated_at."""


def _key(gateway_id: str) -> str:
    return f"latchpin:{{{gateway_id}}}:tools"


class RedisTools:
    """Implements ``latchpin.contracts.ToolRecords``."""

    def __init__(self, commands: Commands, clock: Clock) -> None:
        self._ask = commands.ask
        self._run = commands.run
        self._clock = clock

    async def list(self, gateway_id: str, app_user_email: str) -> list[StoredTool]:
        """One user's tools of a gateway, by name."""
        _, rows = _load(await self._ask("HGET", _key(gateway_id), app_user_email), gateway_id)
        return [
            StoredTool(
                gateway_id,
                app_user_email,
                name,
                row["definition"],
                datetime.fromisoformat(row["created_at"]),
                datetime.fromisoformat(row["updated_at"]),
            )
            for name, row in sorted(rows.items())
        ]

    async def replace(
        self, gateway_id: str, app_user_email: str, definitions: Mapping[str, Mapping[str, Any]]
    ) -> ToolChanges:
        """Make ``definitions`` the user's tools: read, compare, swap; again if somebody else was faster.

        Raises:
            RecordConflict: the gateway is gone, or somebody else was faster a hundred times.
        """
        key = _key(gateway_id)
        now = text_of(self._clock())
        for _ in range(TRIES):
            revision, old = _load(await self._ask("HGET", key, app_user_email), gateway_id)
            new, changes = _compare(old, definitions, now)
            text = f'{begins(app_user_email, revision + 1)}"tools":{to_json(new)}}}'
            before = begins(app_user_email, revision) if revision else ""
            if not new and not old:
                return changes
            written = await self._run(SWAP_BELOW, [key, GATEWAYS], app_user_email, before, text, gateway_id)
            if written == _GONE:
                raise RecordConflict(f"gateway {gateway_id} is gone")
            if written:
                return changes
        raise RecordConflict(f"the tools of gateway {gateway_id} change faster than they can be written")


def _compare(old: Rows, definitions: Mapping[str, Mapping[str, Any]], now: str) -> tuple[Rows, ToolChanges]:
    new: Rows = {}
    updated = 0
    for name, definition in definitions.items():
        row = old.get(name)
        if row is not None and row["definition"] == definition:
            new[name] = row
            continue
        updated += row is not None
        created_at = now if row is None else row["created_at"]
        new[name] = {"definition": definition, "created_at": created_at, "updated_at": now}
    return new, ToolChanges(created=len(new.keys() - old.keys()), updated=updated, removed=len(old.keys() - new.keys()))


def _load(text: bytes | None, gateway_id: str) -> tuple[int, Rows]:
    """The stored revision and tools; revision 0 where there is nothing."""
    if text is None:
        return 0, {}
    try:
        held = json.loads(text)
        return int(held["revision"]), dict(held["tools"])
    except (ValueError, TypeError, KeyError) as exc:
        raise foreign(_key(gateway_id), exc) from exc
