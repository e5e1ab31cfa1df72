"""Calls under way at this worker, so that a program with sessions can cancel one: it says so by another message."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from latchpin_aggregator.envelopes import dump

__all__ = ["Running", "UnderWay", "name_there"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Id = str | int


@dataclass(frozen=True, slots=True)
class Running:
    """A call under way.

    Attributes:
        cancelled: its program does not wait any more.
    """

    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, receive: Receive) -> Receive:
        """What tells that the caller is gone also when the call is cancelled."""

        async def either() -> MutableMapping[str, Any]:
            gone = asyncio.ensure_future(receive())
            cancelled = asyncio.ensure_future(self.cancelled.wait())
            try:
                await asyncio.wait({gone, cancelled}, return_when=asyncio.FIRST_COMPLETED)
                return gone.result() if gone.done() else {"type": "http.disconnect"}
            finally:
                gone.cancel()
                cancelled.cancel()

        return either


class UnderWay:
    """The calls, by their program's session and id."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, Id], Running] = {}

    @contextlib.contextmanager
    def running(self, session: str, id: Id) -> Iterator[Running]:  # noqa: A002  as JSON-RPC calls it
        """Know of a call until it ends."""
        running = self._running[session, id] = Running()
        try:
            yield running
        finally:
            if self._running.get((session, id)) is running:
                del self._running[session, id]

    def cancel(self, session: str, id: Id) -> bool:  # noqa: A002  as above
        """Cancel a call. False: none of that name is under way here."""
        running = self._running.get((session, id))
        if running is not None:
            running.cancelled.set()
        return running is not None


def name_there(session: str, id: Id) -> str:  # noqa: A002  as above
    """What a call is called at a server with sessions: every worker finds it, nobody else can guess it."""
    digest = hashlib.sha256(f"{session}\n{dump(id)}".encode()).hexdigest()
    return f"latchpin-{digest[:32]}"
