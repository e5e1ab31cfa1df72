"""Seals every row anew under today's key: one process at a time, row by row, each only if nobody changed it meanwhile.

What is done is in the rows themselves, so one that was killed is simply begun again and finds the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Collection, Context, KeyedRow
from latchpin.errors import BackendUnavailable, Conflict, LatchpinError, RecordConflict, Unsealable
from latchpin.model import CollectionSpec, Document

from latchpin_key_ring.counting import uses_of
from latchpin_key_ring.live import SEALING

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["WORK", "Outcome", "progress_of", "reseal_rows"]

WORK = CollectionSpec("key_ring_work")
_ID = "reseal"
_LIFE = timedelta(seconds=20)
"""One that was killed is waited for so long."""
AT_ONCE = 64
PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0)
"""Seconds before rows that somebody was at work on are tried again; in all, longer than one who was killed holds a row,
and each shorter than ``_LIFE``."""

Tell = Callable[["Outcome"], Awaitable[None]]
Pause = Callable[[float], Awaitable[object]]


@dataclass(slots=True)
class Outcome:
    """What was done so far.

    Attributes:
        done: rows that are sealed under today's key now and were not.
        closed: by table, rows that no key we have opens: their key is gone, or they were moved.
        left: by table, rows that cannot be sealed anew and have to expire, or that their store cannot change.
        busy: rows that somebody was at work on each time, or the store did not answer for.
    """

    done: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    busy: int = 0


async def reseal_rows(application: Application, *, tell: Tell, pause: Pause = asyncio.sleep) -> Outcome:
    """Seal everything anew that is not sealed under today's key.

    Args:
        application: the gateway.
        tell: is told how far it is, often.
        pause: waits that many seconds.

    Raises:
        Conflict: another process does it.
        BackendUnavailable: the store cannot be asked again and again; what is done is done.
    """
    context, outcome = application.services.context, Outcome()
    async with _alone(context) as note:
        for seconds in (*PAUSES, None):
            outcome.closed.clear()
            outcome.left.clear()
            outcome.busy = 0
            try:
                async for table, rows in _batches(application):
                    for result in await asyncio.gather(*(_reseal(row) for row in rows)):
                        _count(outcome, table, result)
                    await note(outcome)
                    await tell(outcome)
            except BackendUnavailable:  # a store that is busy for a moment ends no work of minutes
                if seconds is None:
                    raise
                outcome.busy += 1
            if not outcome.busy:
                break
            if seconds is not None:
                await pause(seconds)
    return outcome


async def _batches(application: Application) -> AsyncIterator[tuple[str, list[KeyedRow]]]:
    """Rows that are not sealed under today's key alone, some at a time."""
    services = application.services
    for use in uses_of(services):
        if use.purpose != SEALING:
            continue
        batch: list[KeyedRow] = []
        async for row in use.rows(services.context):
            if row.key_ids <= {services.cipher.key_id}:
                continue
            batch.append(row)
            if len(batch) == AT_ONCE:
                yield use.name, batch
                batch = []
        if batch:
            yield use.name, batch


async def _reseal(row: KeyedRow) -> str:
    if row.reseal is None:
        return "left"
    try:
        await row.reseal()
    except (RecordConflict, TimeoutError, BackendUnavailable):
        return "busy"
    except Unsealable:
        return "closed"
    return "done"


def _count(outcome: Outcome, table: str, result: str) -> None:
    if result == "done":
        outcome.done += 1
    elif result == "busy":
        outcome.busy += 1
    else:
        (outcome.left if result == "left" else outcome.closed)[table] += 1


async def progress_of(context: Context) -> int | None:
    """How many rows a process that is at it has sealed anew; None if none is."""
    held = await context.collection(WORK).get(_ID)
    return None if held is None else int(held.body["done"])


@asynccontextmanager
async def _alone(context: Context) -> AsyncIterator[Tell]:
    """Hold the lease, and give what makes it last and notes in it how far the work is."""
    work: Collection = context.collection(WORK)
    first = Document(_ID, {"by": context.instance_id, "done": 0}, expires_at=context.clock() + _LIFE)
    try:
        held = await work.put(first)
    except RecordConflict as exc:
        raise Conflict("another process is sealing everything anew") from exc

    async def note(outcome: Outcome) -> None:
        nonlocal held
        now = context.clock()
        if held.expires_at is not None and held.expires_at - now > _LIFE * 0.8:
            return
        try:
            held = await work.put(replace(held, body={**held.body, "done": outcome.done}, expires_at=now + _LIFE))
        except RecordConflict as exc:
            raise Conflict("another process has taken over sealing everything anew") from exc

    try:
        yield note
    finally:
        with suppress(LatchpinError):  # it expires
            await work.delete(_ID, revision=held.revision)
