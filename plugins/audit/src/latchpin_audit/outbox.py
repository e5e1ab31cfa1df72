"""Records of calls on their way out: gathered, written together, held while that fails, and dropped beyond a limit.

A call waits for its record with AUDIT_CALLS_STRICT only, and then for so long at most. Nothing here can hold a call up
for ever: what writes may hang, and then records are dropped, which is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latchpin.errors import LatchpinError

from latchpin_audit.call_record import CallRecord
from latchpin_audit.errors import CallNotKept

__all__ = ["Outbox", "Sink", "Trouble"]

_log = logging.getLogger("latchpin.audit")

GATHERED = 0.5
"""Seconds for which records are gathered."""
MOST_AT_ONCE = 500
KEPT_WITHIN = 5.0
"""Seconds that an answer waits for its record."""
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between two tries, the last one again and again."""
LAST_TRY, AT_THE_END = 5.0, 0.2
"""Seconds for what still waits at the end, and between two tries then."""
TOLD_EVERY = 60.0
"""Seconds between two lines about the same trouble."""


class Sink(Protocol):
    """Where records go."""

    async def write(self, records: Sequence[CallRecord]) -> None:
        """Keep ``records``, in their order.

        Raises:
            LatchpinError, OSError: it does not go now; some may be kept. It is tried again with all.
        """

    async def close(self) -> None:
        """Nothing more comes."""


@dataclass(slots=True)
class Trouble:
    """What went wrong so far at this worker.

    Attributes:
        dropped: records that were not kept.
        reason: why it does not go now; ``""``: it goes.
    """

    dropped: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Waiting:
    record: CallRecord
    kept: asyncio.Future[None] | None = None

    def tell(self, error: Exception | None) -> None:
        """Tell who waits for it."""
        if self.kept is not None and not self.kept.done():
            if error is None:
                self.kept.set_result(None)
            else:
                self.kept.set_exception(error)


@dataclass(slots=True)
class Outbox:
    """Takes records, and writes them.

    Args:
        sink: where to.
        most: how many may wait.
        strict: they are written at once, since somebody waits.
        on_trouble: is told of changes.
    """

    sink: Sink
    most: int
    strict: bool = False
    on_trouble: Callable[[Trouble], None] = lambda _: None
    trouble: Trouble = field(default_factory=Trouble)
    _waiting: list[_Waiting] = field(default_factory=list)
    _working: asyncio.Task[None] | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _told_at: float = float("-inf")
    _at_once: int = MOST_AT_ONCE

    def put(self, record: CallRecord) -> None:
        """Take a record; it is dropped where too many wait."""
        self._take(_Waiting(record))

    async def keep(self, record: CallRecord) -> None:
        """Return once a record is kept.

        Raises:
            CallNotKept: it is not, within ``KEPT_WITHIN``. It may be later.
        """
        if reason := self.trouble.reason:
            self.put(record)  # it is written when that goes again; nobody waits for it
            raise CallNotKept(reason)
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._take(_Waiting(record, kept)):
            raise CallNotKept("too many records wait")
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                await kept
        except TimeoutError:
            raise CallNotKept(f"it was not written within {KEPT_WITHIN:g} s") from None

    async def close(self) -> None:
        """Write what waits, for a little while; what is left then is dropped."""
        self._ending.set()
        if self._working is not None:
            _, late = await asyncio.wait({self._working}, timeout=LAST_TRY)
            for task in late:
                task.cancel()
        if self._waiting:
            self._told_at = float("-inf")
            self._drop(len(self._waiting), "the worker ends")
        await self.sink.close()

    def _take(self, waiting: _Waiting) -> bool:
        if len(self._waiting) >= self.most:
            self._drop(1, f"{self.most} wait already (AUDIT_CALLS_WAITING)")
            return False
        self._waiting.append(waiting)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return True

    async def _work(self) -> None:
        try:
            if not (self.strict or self._ending.is_set()):
                await self._pause(GATHERED)
            failed = 0
            while self._waiting:
                failed = 0 if await self._write(self._waiting[: self._at_once]) else failed + 1
                if failed:
                    await self._pause(PAUSES[min(failed, len(PAUSES)) - 1])
        finally:
            self._working = None

    async def _pause(self, seconds: float) -> None:
        if self._ending.is_set():
            await asyncio.sleep(min(seconds, AT_THE_END))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            pass

    async def _write(self, batch: list[_Waiting]) -> bool:
        """Write a batch; False: it has to be tried again.

        Of one that cannot be written the halves are tried, and theirs, until the record that nobody can write is alone.
        """
        error: Exception | None = None
        try:
            await self.sink.write([each.record for each in batch])
        except (LatchpinError, OSError) as exc:
            reason = (exc.detail or exc.public) if isinstance(exc, LatchpinError) else str(exc)
            self._failed(reason)
            for each in batch:
                each.tell(CallNotKept(reason))
            return False
        except Exception as exc:  # noqa: BLE001  a record that nobody can write must not hold up all others
            if len(batch) > 1:
                self._at_once = len(batch) // 2
                return True
            _log.exception("A record of an MCP call cannot be written")
            self._at_once = MOST_AT_ONCE
            error = CallNotKept(type(exc).__name__)
        del self._waiting[: len(batch)]
        for each in batch:
            each.tell(error)
        if error is not None:
            self._drop(len(batch), "it cannot be written")
        self._goes()
        return True

    def _failed(self, reason: str) -> None:
        if self._may_tell() or not self.trouble.reason:
            _log.error("Records of MCP calls cannot be written now, %d wait: %s", len(self._waiting), reason)
        self._set(reason, 0)

    def _goes(self) -> None:
        if self.trouble.reason:
            _log.warning("Records of MCP calls are written again; %d were dropped", self.trouble.dropped)
            self._set("", 0)

    def _drop(self, count: int, why: str) -> None:
        if self._may_tell():
            _log.error("A record of an MCP call was dropped, %d so far: %s", self.trouble.dropped + count, why)
        self._set(self.trouble.reason, count)

    def _set(self, reason: str, dropped: int) -> None:
        changed = bool(dropped) or reason != self.trouble.reason
        self.trouble.reason, self.trouble.dropped = reason, self.trouble.dropped + dropped
        if changed:
            self.on_trouble(self.trouble)

    def _may_tell(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._told_at < TOLD_EVERY:
            return False
        self._told_at = now
        return True
