"""What is under way for people whose sessions end, or whose program's grant does: found within a second, everywhere.

A request is judged when it begins, and what it began may go on for hours. So whoever serves one that lasts says for
whom, and is told when that person's sessions end. A worker asks the store for one small text as long as something is
under way, or somebody was asked who they are a moment ago; where the text is another, something was ended somewhere:
then nothing that this worker remembers of callers counts any more, and everybody who is served is judged again.

Beside it another text tells that one proof was ended alone, such as a grant: then what stands on it ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from latchpin.contracts import Clock, Endings, KeyValueRecords
from latchpin.errors import BackendUnavailable
from latchpin.identity.ended_proofs import name_proof, read_ended_proofs, read_proof_stamp
from latchpin.identity.revocations import UNNOTICED, ended_at, read_stamp

__all__ = ["BLIND", "LOOKS_EVERY", "Departures", "Watched"]

_log = logging.getLogger("latchpin.identity")

LOOKS_EVERY = 0.25
"""In seconds."""
LINGERS = 1.0
"""For how many seconds a worker looks on after somebody was asked who they are: for so long it may remember it."""
BLIND = 15.0
"""After so many seconds without an answer of the store, what is under way ends: nobody knows any more for whom."""


@dataclass(slots=True, eq=False)
class Watched:
    """Something that goes on for somebody.

    Attributes:
        email: for whom.
        began: when it was judged.
        end: ends it; called at most once.
        proof: by what name it is kept where that ended which the caller stands on; ``""``: on nothing of its own.
        judged: it was looked at before, and ``seen`` was the end of that person's sessions then.
    """

    email: str
    began: datetime
    end: Callable[[], object]
    proof: str = ""
    judged: bool = False
    seen: datetime | None = None


class Departures:
    """Tells those who serve people when these people's sessions have ended.

    Args:
        kept: has the notes of what was ended.
        clock: tells the time.
        endings: is told what other workers ended.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock, endings: Endings) -> None:
        self._kept = kept
        self._clock = clock
        self._endings = endings
        self._watched: set[Watched] = set()
        self._wanted = asyncio.Event()
        self._asked_at = float("-inf")
        self._stamp: str | None = None
        self._proof_stamp: str | None = None
        self._count = 0

    def watch(self, email: str, end: Callable[[], object], *, stands_on: str = "") -> Watched:
        """Call ``end`` when the sessions of ``email`` have ended, or what it ``stands_on`` has; until ``leave``."""
        watched = Watched(email, self._clock(), end, name_proof(stands_on) if stands_on else "")
        self._watched.add(watched)
        self._wanted.set()
        return watched

    def leave(self, watched: Watched) -> None:
        """It is over."""
        self._watched.discard(watched)

    def note_asked(self) -> None:
        """Somebody was asked who they are, which this worker may remember."""
        self._asked_at = asyncio.get_running_loop().time()
        self._wanted.set()

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        answered_at = loop.time()
        while True:
            if not self._wanted.is_set():
                await self._wanted.wait()
                answered_at = loop.time()
            try:
                async with asyncio.timeout(BLIND):
                    await self.look()
                answered_at = loop.time()
            except (BackendUnavailable, TimeoutError) as exc:
                if loop.time() - answered_at >= BLIND:
                    self._end_all(exc)
            if not self._watched and loop.time() - self._asked_at > LINGERS:
                self._wanted.clear()
            await asyncio.sleep(LOOKS_EVERY)

    async def look(self) -> None:
        """Look once.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        count = self._endings.count
        stamp, proof_stamp = await asyncio.gather(read_stamp(self._kept), read_proof_stamp(self._kept))
        if stamp != self._stamp:
            self._endings.note()
            count = self._endings.count
        everybody, watched = count != self._count, list(self._watched)  # who comes meanwhile has the next look
        if proof_stamp != self._proof_stamp or any(each.proof and not each.judged for each in watched):
            await self._end_those_without_proof(watched)
        self._proof_stamp = proof_stamp
        await self._judge([each for each in watched if everybody or not each.judged])
        self._stamp, self._count = stamp, count

    async def _end_those_without_proof(self, watched: list[Watched]) -> None:
        proven = [each for each in watched if each.proof]
        ended = await read_ended_proofs(self._kept) if proven else frozenset()
        for each in proven:
            if each.proof in ended and each in self._watched:
                self._end(each)

    async def _judge(self, watched: list[Watched]) -> None:
        emails = sorted({each.email for each in watched})
        ends = dict(zip(emails, await asyncio.gather(*(ended_at(self._kept, each) for each in emails)), strict=True))
        for each in watched:
            end = ends[each.email]
            over = end != each.seen if each.judged else end is not None and end >= each.began - UNNOTICED
            each.judged, each.seen = True, end
            if over and each in self._watched:
                self._end(each)

    def _end_all(self, why: Exception) -> None:
        if self._watched:
            _log.warning("What %d callers had under way ends: the store cannot be asked: %s", len(self._watched), why)
        for each in list(self._watched):
            self._end(each)

    def _end(self, watched: Watched) -> None:
        self._watched.discard(watched)
        watched.end()
