"""The end of all sessions of one person: what was issued to them until then does not count any more.

It is one note for each person, under a hash of the address. Sessions and our own bearer tokens say when they were
issued; whoever judges one compares.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock, Endings, KeyValueRecords
from latchpin.errors import RecordConflict
from latchpin.identity.barred import FOR_EVER, Barred, find_barred
from latchpin.workers.bounded import Bounded

__all__ = [
    "EVERYBODY",
    "REMEMBERED",
    "UNNOTICED",
    "SessionRevocations",
    "end_everything_of",
    "ended_at",
    "ended_since",
    "mark_of_ends",
    "read_stamp",
    "renew_stamp",
]

REMEMBERED = timedelta(seconds=0.5)
"""How long a worker goes on without asking the store again. An end counts within a second on every worker: whom a token
proves is remembered for the other half (``latchpin.identity.proven``)."""

UNNOTICED = timedelta(seconds=1)
"""So long after an end a worker may judge a request by what it remembers from before."""

EVERYBODY = "*"
"""In the place of an address: what was issued to anybody."""
_MOST = 4096
_ATTEMPTS = 20
_STAMP = "ended-stamp"


async def end_everything_of(kept: KeyValueRecords, email: str, now: datetime) -> None:
    """Let nothing count that was issued to ``email``, or to ``EVERYBODY``, until ``now``.

    The note stays: a bearer token may be good for years, and a session for as long as SESSION_LIFETIME_SECONDS once
    was. Of two that are written at once, the later stands; at no moment is there none.

    Other workers are told by a stamp (``read_stamp``), which is renewed after the note is written.

    Raises:
        RecordConflict: others kept writing earlier ones.
    """
    await _write_end(kept, _name(email), now)
    await renew_stamp(kept, _STAMP)


async def renew_stamp(kept: KeyValueRecords, stamp: str) -> None:
    """Let another text stand under the name ``stamp``: workers look whether it is another one than before."""
    await kept.take(stamp)
    await kept.put(stamp, secrets.token_hex(8))  # of somebody else's, put in between: they wrote theirs before it


async def _write_end(kept: KeyValueRecords, name: str, now: datetime) -> None:
    for _ in range(_ATTEMPTS):
        stands = await kept.put(name, now.isoformat())
        if datetime.fromisoformat(stands) >= now or await kept.replace(name, now.isoformat(), replacing=stands):
            return
    raise RecordConflict("the end of a person's sessions kept changing while it was to be written")


async def read_stamp(kept: KeyValueRecords) -> str | None:
    """Another text than before where anything of anybody was ended since."""
    return await kept.get(_STAMP)


def ended_at(kept: KeyValueRecords, email: str) -> Coroutine[Any, Any, datetime | None]:
    """Until when what was issued to ``email``, or to everybody, does not count; None if nothing was ever ended.

    ``FOR_EVER`` for who is out. The store is asked from the call on, so that it is one trip with what is asked beside.
    """
    return _latest(asyncio.gather(kept.get(_name(email)), kept.get(_name(EVERYBODY)), find_barred(kept, email)))


async def _latest(read: Awaitable[tuple[str | None, str | None, Barred | None]]) -> datetime | None:
    note, everybody, barred = await read
    return _later(_parse(note), _parse(everybody)) if barred is None else FOR_EVER


async def mark_of_ends(kept: KeyValueRecords, email: str) -> str:
    """A text that is another one from the moment on when anything of ``email``, or of everybody, has ended.

    What is to end with a person is kept with the mark that was read before, and counts as long as that is the mark.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    end = await ended_at(kept, email)
    return "" if end is None else end.isoformat()


async def ended_since(kept: KeyValueRecords, email: str, moment: datetime) -> bool:
    """Whether the sessions of ``email``, alone, were ended at ``moment`` or later; whether they are out does not count.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    end = _parse(await kept.get(_name(email)))
    return end is not None and end >= moment


class SessionRevocations:
    """Says what was ended, without a read for each request: a worker remembers each note for half a second.

    Args:
        kept: has the notes.
        clock: tells the time.
        endings: tells what this worker ended, which counts here at once.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock, endings: Endings) -> None:
        self._kept = kept
        self._clock = clock
        self._endings = endings
        self._remembered: Bounded[str, tuple[datetime, int, datetime | None]] = Bounded(_MOST)

    async def cover(self, email: str, issued_at: float) -> bool:
        """Whether what was issued to ``email`` at ``issued_at``, in seconds as in a JWT, has been ended.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        unread = [whose for whose in (email, EVERYBODY) if not self._remembers(whose)]
        read = dict(zip(unread, await asyncio.gather(*map(self._read, unread)), strict=True)) if unread else {}
        ends = [read[whose] if whose in read else self._remembered[whose][2] for whose in (email, EVERYBODY)]
        end = _later(*ends)
        return end is not None and issued_at <= end.timestamp()

    async def keep_out(self, email: str) -> bool:
        """Whether ``email`` is out: no identity counts then, whatever it is and whenever it was issued.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        end = self._remembered[email][2] if self._remembers(email) else await self._read(email)
        return end == FOR_EVER

    def _remembers(self, whose: str) -> bool:
        now = self._clock()
        asked_at, counted, _ = self._remembered.get(whose, (now - REMEMBERED, 0, None))
        return asked_at <= now < asked_at + REMEMBERED and counted == self._endings.count

    async def _read(self, whose: str) -> datetime | None:
        now, count = self._clock(), self._endings.count
        end = await _read(self._kept, whose)
        self._remembered[whose] = (now, count, end)
        return end


async def _read(kept: KeyValueRecords, whose: str) -> datetime | None:
    if whose == EVERYBODY:
        return _parse(await kept.get(_name(whose)))
    note, barred = await asyncio.gather(kept.get(_name(whose)), find_barred(kept, whose))
    return _parse(note) if barred is None else FOR_EVER


def _parse(note: str | None) -> datetime | None:
    return None if note is None else datetime.fromisoformat(note)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one is not None and other is not None else one or other


def _name(email: str) -> str:
    return f"ended:{hashlib.sha256(email.encode()).hexdigest()}"
