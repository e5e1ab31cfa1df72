"""The end of all sessions of one person: what was issued to them until then does not count any more.

It is one note for each person, under a hash of the address. Sessions and our own bearer tokens say when they were
issued; whoever judges one compares.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import RecordConflict
from latchpin.workers.bounded import Bounded

__all__ = ["EVERYBODY", "REMEMBERED", "SessionRevocations", "end_everything_of", "ended_at"]

REMEMBERED = timedelta(seconds=5)
"""How long a worker goes on without asking the store again: so late may an end come into force."""

EVERYBODY = "*"
"""In the place of an address: what was issued to anybody."""
_MOST = 4096
_ATTEMPTS = 20


async def end_everything_of(kept: KeyValueRecords, email: str, now: datetime) -> None:
    """Let nothing count that was issued to ``email``, or to ``EVERYBODY``, until ``now``.

    The note stays: a bearer token may be good for years, and a session for as long as SESSION_LIFETIME_SECONDS once
    was. Of two that are written at once, the later stands.

    Raises:
        RecordConflict: others kept writing earlier ones.
    """
    name = _name(email)
    for _ in range(_ATTEMPTS):
        stands = await kept.put(name, now.isoformat())
        if datetime.fromisoformat(stands) >= now:
            return
        await kept.take(name, value=stands)
    raise RecordConflict("the end of a person's sessions kept changing while it was to be written")


async def ended_at(kept: KeyValueRecords, email: str) -> datetime | None:
    """Until when what was issued to ``email``, or to everybody, does not count; None if nothing was ever ended."""
    notes = [await kept.get(_name(whose)) for whose in (email, EVERYBODY)]
    return max((datetime.fromisoformat(text) for text in notes if text is not None), default=None)


class SessionRevocations:
    """Says what was ended, without a read for each request: a worker remembers each person's note for some seconds."""

    def __init__(self, kept: KeyValueRecords, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._remembered: Bounded[str, tuple[datetime, datetime | None]] = Bounded(_MOST)

    async def cover(self, email: str, issued_at: float) -> bool:
        """Whether what was issued to ``email`` at ``issued_at``, in seconds as in a JWT, has been ended.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now = self._clock()
        asked_at, end = self._remembered.get(email, (datetime.min.replace(tzinfo=UTC), None))
        if not now - REMEMBERED < asked_at <= now:
            end = await ended_at(self._kept, email)
            self._remembered[email] = (now, end)
        return end is not None and issued_at <= end.timestamp()


def _name(email: str) -> str:
    return f"ended:{hashlib.sha256(email.encode()).hexdigest()}"
