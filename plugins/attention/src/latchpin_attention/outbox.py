"""An outbox: what has to be delivered once it was put there, in spite of receivers that are down and workers that die.

A worker that delivers an entry first claims it: one compare and swap that moves its next try behind the time that one
try may take. So of several workers one delivers it, and what a dead one had claimed comes due again. It is delivered
at least once: who died between delivering and noting that delivers again, under the same id. An entry has an end: it
is delivered, or dead and listed. One that cannot be read holds up no other: it is put aside as it is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from latchpin.contracts import Clock, Collection
from latchpin.errors import LatchpinError, RecordConflict
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import scan_all

__all__ = ["Entry", "Moot", "Outbox", "State", "Undelivered", "outbox_spec"]

_log = logging.getLogger("latchpin.attention")

State = Literal["waiting", "done", "moot", "dead"]
"""``moot``: there was nothing left to deliver when its turn came."""
AT_ONCE = 8
"""Deliveries under way at one worker."""
_PAGE = 500
_ASIDE = "unreadable"
"""In place of a state, in the index alone: what such an entry says stays."""
_LONGEST_REASON = 300
_NAMES = ("body", "state", "tries", "reason", "at", "due_at")


def outbox_spec(name: str) -> CollectionSpec:
    """Declare where an outbox of that name is kept."""
    return CollectionSpec(name, indexes=("due", "state"))


class Moot(Exception):
    """There is nothing to deliver any more."""


class Undelivered(Exception):
    """An entry could not be delivered.

    Args:
        reason: why, for administrators, without a secret.
        wait: how long the receiver wants to be left alone.
        final: no other try will help.
    """

    def __init__(self, reason: str, *, wait: timedelta | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.final = final


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to deliver.

    Attributes:
        id: names it; it is never delivered under another.
        body: what whoever put it needs to deliver it. No secret.
        tries: how many there were.
        reason: why the last one failed; ``""``: it did not.
        at: when it was put, then when it was last tried.
        due_at: when it is tried next; None: no more.
    """

    id: str
    body: Mapping[str, Any]
    state: State
    tries: int
    reason: str
    at: datetime
    due_at: datetime | None


Deliver = Callable[[Entry], Awaitable[None]]


class _Unreadable(ValueError):
    """A document is no entry: somebody else wrote it, or a newer version did."""


class Outbox:
    """Keeps entries and delivers them.

    Args:
        documents: of a collection that ``outbox_spec`` declared.
        clock: the gateway's.
        pauses: before the second try, the third and so on; behind the last an entry is dead.
        claimed_for: how long one try may take at most.
        kept_for: how long an entry is kept that is delivered or dead: until then its id is not put again.
    """

    def __init__(
        self,
        documents: Collection,
        clock: Clock,
        *,
        pauses: Sequence[timedelta],
        claimed_for: timedelta,
        kept_for: timedelta,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._pauses = pauses
        self._claimed_for = claimed_for
        self._kept_for = kept_for

    async def put(self, id: str, body: Mapping[str, Any]) -> bool:  # noqa: A002  the entry's own word
        """Put an entry, due at once; False: one of this id is or was there.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now = self._clock()
        try:
            await self._documents.put(_write(Entry(id, body, "waiting", 0, "", now, now)))
        except RecordConflict:
            return False
        return True

    async def work_off(self, deliver: Deliver) -> int:
        """Deliver what is due; return how many were. What fails is tried later.

        Args:
            deliver: does it; raises Undelivered where it could not, and Moot where there is nothing to do any more. It
                is cancelled once its time is over.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        up_to = index_time(self._clock() + timedelta(microseconds=1))  # a span's end is not in it
        due = await self._documents.scan("due", Span(end=up_to), limit=_PAGE)
        hands = iter(due)

        async def work() -> int:
            return sum([await self._try(each, deliver) for each in hands])

        done = await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(due)))), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return sum(each for each in done if isinstance(each, int))

    async def list(self, state: State) -> list[Entry]:
        """All of one state, in the order of their ids."""
        found = [each async for each in scan_all(self._documents, "state", Span.only(state))]
        return [entry for each in found if (entry := _read_or_tell(each)) is not None]

    async def get(self, id: str) -> Entry | None:  # noqa: A002  as above
        """Look. None if there is none, none any more, or none that can be read."""
        held = await self._documents.get(id)
        return None if held is None else _read_or_tell(held)

    async def count(self, state: State) -> int:
        """How many are of one state."""
        return await self._documents.count("state", Span.only(state))

    async def revive(self, id: str) -> bool:  # noqa: A002  as above
        """Try a dead entry again, from the first pause on; False: there is no such entry that is dead."""
        held = await self._documents.get(id)
        if held is None or (entry := _read_or_tell(held)) is None or entry.state != "dead":
            return False
        again = replace(entry, state="waiting", tries=0, due_at=self._clock())
        return await self._swap(again, held) is not None

    async def retry(self, id: str = "") -> int:  # noqa: A002  as above
        """Try the dead entry of that id again, or without one all; return how many are tried."""
        names = [id] if id else [each.id for each in await self.list("dead")]
        return sum([await self.revive(each) for each in names])

    async def _try(self, document: Document, deliver: Deliver) -> bool:
        entry = _read_or_tell(document)
        if entry is None:
            await self._put_aside(document)
            return False
        now = self._clock()
        claimed = replace(entry, tries=entry.tries + 1, at=now, due_at=now + self._claimed_for)
        held = await self._swap(claimed, document)
        # None: another worker has it
        return held is not None and await self._deliver(claimed, held, deliver)

    async def _deliver(self, claimed: Entry, held: Document, deliver: Deliver) -> bool:
        try:
            async with asyncio.timeout(self._claimed_for.total_seconds() / 2):  # so that no other begins meanwhile
                await deliver(claimed)
        except Moot:
            await self._swap(replace(claimed, state="moot", at=self._clock(), due_at=None), held)
            return False
        except Undelivered as exc:
            await self._swap(self._put_off(claimed, exc), held)
            return False
        except TimeoutError:
            await self._swap(self._put_off(claimed, Undelivered("it took too long")), held)
            return False
        except Exception as exc:  # noqa: BLE001  an entry that nobody can deliver must not hold up all others
            _log.exception("Delivering %s failed", claimed.id)
            await self._swap(self._put_off(claimed, Undelivered(_tell(exc))), held)
            return False
        done = replace(claimed, state="done", reason="", at=self._clock(), due_at=None)
        return await self._swap(done, held) is not None

    def _put_off(self, entry: Entry, exc: Undelivered) -> Entry:
        reason = exc.reason[:_LONGEST_REASON]
        if exc.final or entry.tries > len(self._pauses):
            return replace(entry, state="dead", reason=reason, at=self._clock(), due_at=None)
        pause = self._pauses[entry.tries - 1] * random.uniform(0.9, 1.1)  # noqa: S311  no secret
        if exc.wait is not None:
            pause = max(pause, min(exc.wait, self._pauses[-1]))
        return replace(entry, reason=reason, at=self._clock(), due_at=self._clock() + pause)

    async def _put_aside(self, document: Document) -> None:
        """Let it come due no more, and go when others would."""
        aside = replace(document, fields={"state": _ASIDE}, expires_at=self._clock() + self._kept_for)
        with suppress(RecordConflict):  # another worker did
            await self._documents.put(aside)

    async def _swap(self, entry: Entry, held: Document) -> Document | None:
        """Write it in place of what was read; None: somebody else wrote meanwhile."""
        ends = None if entry.state == "waiting" else self._clock() + self._kept_for
        try:
            return await self._documents.put(replace(_write(entry), revision=held.revision, expires_at=ends))
        except RecordConflict:
            return None


def _tell(exc: Exception) -> str:
    return (exc.detail or exc.public) if isinstance(exc, LatchpinError) else type(exc).__name__


def _write(entry: Entry) -> Document:
    body = {
        "body": dict(entry.body),
        "state": entry.state,
        "tries": entry.tries,
        "reason": entry.reason,
        "at": entry.at.isoformat(),
        "due_at": None if entry.due_at is None else entry.due_at.isoformat(),
    }
    fields = {"state": entry.state} | ({} if entry.due_at is None else {"due": index_time(entry.due_at)})
    return Document(entry.id, body, fields)


def _read_or_tell(document: Document) -> Entry | None:
    """The entry; None, and a line in the log, where it is none."""
    try:
        return _read(document)
    except _Unreadable as exc:
        _log.error("The entry %s of an outbox cannot be read, and is not delivered: %s", document.id, exc)
        return None


def _read(document: Document) -> Entry:
    try:
        body, state, tries, reason, at, due_at = (document.body[name] for name in _NAMES)
        tried_at = datetime.fromisoformat(at)
        next_at = None if due_at is None else datetime.fromisoformat(due_at)
    except (KeyError, TypeError, ValueError) as exc:
        raise _Unreadable(f"{type(exc).__name__}: {exc}") from exc
    if not isinstance(body, Mapping) or state not in get_args(State) or not isinstance(tries, int):
        raise _Unreadable("its body, state or tries are of another kind")
    return Entry(document.id, body, state, tries, str(reason), tried_at, next_at)
