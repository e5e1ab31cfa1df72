"""Who was proven a moment ago, by the hash of what was sent: programs send the same bearer token with every request.

What it buys: asking every identity costs some 100 us, twice what the rest of a short answer does; finding the hash some
4 us. What it may not cost: an end that comes late. So what is remembered holds for half a second, until the token
expires, and only as long as this worker ends nothing. Before that is over, the identities are asked anew for who goes
on calling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from latchpin.contracts import Clock, Endings, Identity
from latchpin.errors import NotSignedIn
from latchpin.model import Caller
from latchpin.workers.ahead import due_at
from latchpin.workers.bounded import Bounded
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["REMEMBERED", "Asking", "ProvenCallers"]

REMEMBERED = timedelta(seconds=0.5)
"""The other half of the second within which an end counts at every worker is the identities' own."""
_MOST = 1_000
"""More than a worker serves in that time."""
_FIELD = b"authorization"

Ask = Callable[[], Awaitable[Caller | None]]
"""Asks the identities who sent a request."""


class Asking(NamedTuple):
    """When the identities began to be asked: what ends meanwhile is not remembered as proven.

    Attributes:
        endings: how much this worker had ended by then.
    """

    at: datetime
    endings: int


class _Proven(NamedTuple):
    caller: Caller
    asked: Asking
    due: datetime
    until: datetime


class ProvenCallers:
    """Remembers callers whose only evidence is one ``Authorization`` field.

    Args:
        identities: those that are asked. Where one does not say what it reads, nobody is remembered.
        endings: counts what this worker ends.
        clock: tells the time.
    """

    def __init__(self, identities: Sequence[Identity], endings: Endings, clock: Clock) -> None:
        self._endings = endings
        self._clock = clock
        self._proven: Bounded[bytes, _Proven] = Bounded(_MOST)
        self._others = _other_fields(identities)
        self._renewing: SharedTasks[bytes, None] = SharedTasks()

    def key_of(self, headers: Iterable[tuple[bytes, bytes]], resource: str | None) -> bytes | None:
        """By what the sender of these header fields is remembered at ``resource``; None if by nothing."""
        others = self._others
        if others is None:
            return None
        sent: bytes | None = None
        for raw, value in headers:
            name = raw.lower()
            if name in others or (name == _FIELD and sent is not None):
                return None
            if name == _FIELD:
                sent = value
        if sent is None:
            return None
        return hashlib.sha256(
            b"%d %s%s" % (len(sent), sent, (resource or "").encode("utf-8", "surrogatepass"))
        ).digest()

    def find(self, key: bytes, ask: Ask) -> Caller | None:
        """Who was proven by the same a moment ago; None if that has to be asked.

        Who will soon have to be asked about is asked about now, by ``ask``, beside what is done for this caller.
        """
        proven = self._proven.get(key)
        if proven is None:
            return None
        now = self._clock()
        if proven.asked.endings == self._endings.count and proven.asked.at <= now < proven.until:
            if now >= proven.due:
                self._renewing.begin(key, lambda: self._renew(key, ask))
            return proven.caller
        del self._proven[key]
        return None

    def recall(self, headers: Iterable[tuple[bytes, bytes]], resource: str | None, ask: Ask) -> Caller | None:
        """Who was proven a moment ago by what came in these header fields; None if that has to be asked."""
        key = self.key_of(headers, resource)
        return None if key is None else self.find(key, ask)

    def begin(self) -> Asking:
        """Before the identities are asked."""
        return Asking(self._clock(), self._endings.count)

    def remember(self, key: bytes, caller: Caller, asked: Asking) -> None:
        """They said who it is."""
        until = asked.at + REMEMBERED
        if caller.expires_at is not None:
            until = min(until, caller.expires_at)
        self._proven[key] = _Proven(caller, asked, due_at(asked.at, REMEMBERED), until)

    async def close(self) -> None:
        """Let what is asked end, while the stores are still open."""
        await self._renewing.close()

    async def _renew(self, key: bytes, ask: Ask) -> None:
        """Ask the identities anew; whom they do not know any more is forgotten at once."""
        asked = self.begin()
        try:
            caller = await ask()
        except NotSignedIn:
            caller = None
        if caller is None:
            self._proven.pop(key, None)
        else:
            self.remember(key, caller, asked)


def _other_fields(identities: Iterable[Identity]) -> frozenset[bytes] | None:
    """What identities read beside ``Authorization``; None where one of them does not say what it reads."""
    read: set[str] = set()
    for identity in identities:
        fields: frozenset[str] | None = getattr(identity, "reads", None)
        if fields is None:
            return None
        read |= fields
    return frozenset(name.encode("latin-1") for name in read) - {_FIELD}
