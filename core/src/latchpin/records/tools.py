"""The tools of a gateway as each user sees them: a document for each gateway and user, with all of their tools."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from latchpin.contracts import Clock, Collection, RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span, StoredTool, ToolChanges
from latchpin.model.accounts import name_account

__all__ = ["TOOLS", "ToolRecords"]

TOOLS = CollectionSpec("core_tools", ("gateway",))

_TRIES = 100
_PAGE = 100

Rows: TypeAlias = dict[str, dict[str, Any]]
"""Tool name to definition, created_at and updated_at."""


class ToolRecords:
    """Keeps users' tools."""

    def __init__(self, records: RecordStore, clock: Clock) -> None:
        self._gateways = records.gateways
        self._documents: Collection = records.collection(TOOLS)
        self._clock = clock

    async def list(self, gateway_id: str, app_user_email: str, label: str = "") -> list[StoredTool]:
        """One user's tools of a gateway as one of their accounts sees them, by name."""
        held = await self._documents.get(_id(gateway_id, app_user_email, label))
        return [
            StoredTool(
                gateway_id,
                app_user_email,
                name,
                row["definition"],
                datetime.fromisoformat(row["created_at"]),
                datetime.fromisoformat(row["updated_at"]),
            )
            for name, row in sorted(_rows(held).items())
        ]

    async def replace(
        self, gateway_id: str, app_user_email: str, definitions: Mapping[str, Mapping[str, Any]], label: str = ""
    ) -> ToolChanges:
        """Make ``definitions`` (name to definition) the user's tools, atomically.

        ``updated`` counts those whose definition differs; an equal one is left alone.

        Raises:
            RecordConflict: there are definitions, and the gateway is gone; or others write all the time.
        """
        id_, now = _id(gateway_id, app_user_email, label), self._clock().isoformat()
        for _ in range(_TRIES):
            held = await self._documents.get(id_)
            rows, changes = _compare(_rows(held), definitions, now)
            try:
                await self._write(held or Document(id_, {}, {"gateway": gateway_id}), rows)
            except RecordConflict:
                continue
            if rows:
                await self._require_gateway(gateway_id)
            return changes
        raise RecordConflict(f"the tools of gateway {gateway_id} change faster than they can be written")

    async def _require_gateway(self, gateway_id: str) -> None:
        """Refuse what was written after its gateway was removed, with the tools that were there before."""
        if await self._gateways.get(gateway_id) is None:
            await self.drop(gateway_id)
            raise RecordConflict(f"gateway {gateway_id} is gone")

    async def drop(self, gateway_id: str) -> None:
        """Remove every user's tools of a gateway."""
        while page := await self._documents.scan("gateway", Span.only(gateway_id), limit=_PAGE):
            for held in page:
                await self._documents.delete(held.id)

    async def _write(self, held: Document, rows: Rows) -> None:
        if rows:
            await self._documents.put(replace(held, body={"tools": rows}))
        elif held.revision and not await self._documents.delete(held.id, revision=held.revision):
            raise RecordConflict("somebody else was faster")


def _id(gateway_id: str, app_user_email: str, label: str) -> str:
    return f"{gateway_id}:{hashlib.sha256(name_account(app_user_email, label).encode()).hexdigest()}"


def _rows(held: Document | None) -> Rows:
    return {} if held is None else dict(held.body["tools"])


def _compare(old: Rows, definitions: Mapping[str, Mapping[str, Any]], now: str) -> tuple[Rows, ToolChanges]:
    new: Rows = {}
    updated = 0
    for name, definition in definitions.items():
        row = old.get(name)
        if row is not None and row["definition"] == definition:
            new[name] = row
            continue
        updated += row is not None
        new[name] = {"definition": definition, "created_at": row["created_at"] if row else now, "updated_at": now}
    return new, ToolChanges(created=len(new.keys() - old.keys()), updated=updated, removed=len(old.keys() - new.keys()))
