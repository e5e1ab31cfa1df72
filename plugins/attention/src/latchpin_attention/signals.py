"""What only events say of a connection: that its server refused it, and until when its refresh token is good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock, Collection
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Fact
from latchpin.sdk.stores import scan_all

from latchpin_attention.need import Signal

__all__ = ["SIGNALS", "Signals"]

SIGNALS = CollectionSpec("attention_signals")
REFUSED_FOR = timedelta(days=30)
"""How long a refusal stands that nobody answers: who needs what was refused is refused again."""
AFTER_THE_END = timedelta(days=90)
_ATTEMPTS = 5


class Signals:
    """Keeps them, one document for a connection.

    Args:
        documents: where.
        clock: the gateway's.
    """

    def __init__(self, documents: Collection, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def hear(self, fact: Fact) -> bool:
        """Keep what a fact says of a connection; say whether it said anything."""
        details = fact.details
        connection, authorization = str(details.get("connection", "")), str(details.get("authorization", ""))
        match fact.name:
            case "token.refused":
                wanted = details["wanted"]
                named = tuple(map(str, wanted)) if isinstance(wanted, tuple) else None
                await self._change(connection, authorization, refused_at=fact.at, wanted=named)
            case "grant.dated":
                ends_at = datetime.fromisoformat(str(details["ends"]))
                await self._change(connection, authorization, dated_at=fact.at, ends_at=ends_at)
            case "authorization.declined":
                await self._drop_refusal(connection)
            case _:
                return False
        return True

    async def get(self, connection: str) -> Signal | None:
        """Of one connection."""
        found = await self._documents.get(connection)
        return None if found is None else _parse(found.body)

    async def get_all(self, connections: Iterable[str]) -> Mapping[str, Signal]:
        """Of those of a few connections of which something was said."""
        wanted = list(connections)
        found = await asyncio.gather(*(self.get(each) for each in wanted))
        return {name: signal for name, signal in zip(wanted, found, strict=True) if signal is not None}

    async def read(self) -> Mapping[str, Signal]:
        """Of all connections of which something was said."""
        return {each.id: _parse(each.body) async for each in scan_all(self._documents)}

    async def _change(self, connection: str, authorization: str, **said: Any) -> None:  # noqa: ANN401  fields of Signal
        """Put what was said beside what was said before of the same authorization."""
        for _ in range(_ATTEMPTS):
            held = await self._documents.get(connection)
            before = None if held is None else _parse(held.body)
            if before is None or before.authorization != authorization:
                before = Signal(authorization)
            if before.refused_at is not None and "refused_at" in said:
                said = {**said, "refused_at": before.refused_at}  # since when: the first counts
            signal = replace(before, **said)
            if await self._put(connection, signal, 0 if held is None else held.revision):
                return
        raise RecordConflict("what is known of a connection kept changing while it was to be written")

    async def _drop_refusal(self, connection: str) -> None:
        """Its person does without."""
        held = await self._documents.get(connection)
        if held is not None:
            await self._put(connection, replace(_parse(held.body), refused_at=None, wanted=None), held.revision)

    async def _put(self, connection: str, signal: Signal, revision: int) -> bool:
        ends = self._clock() + REFUSED_FOR
        if signal.ends_at is not None:
            ends = max(ends, signal.ends_at + AFTER_THE_END)
        try:
            await self._documents.put(Document(connection, _format(signal), revision=revision, expires_at=ends))
        except RecordConflict:
            return False
        return True


def _format(signal: Signal) -> dict[str, Any]:
    def written(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "authorization": signal.authorization,
        "refused_at": written(signal.refused_at),
        "wanted": None if signal.wanted is None else list(signal.wanted),
        "dated_at": written(signal.dated_at),
        "ends_at": written(signal.ends_at),
    }


def _parse(body: Mapping[str, Any]) -> Signal:
    def read(name: str) -> datetime | None:
        return None if body[name] is None else datetime.fromisoformat(body[name])

    wanted = body["wanted"]
    return Signal(
        body["authorization"],
        refused_at=read("refused_at"),
        wanted=None if wanted is None else tuple(wanted),
        dated_at=read("dated_at"),
        ends_at=read("ends_at"),
    )
