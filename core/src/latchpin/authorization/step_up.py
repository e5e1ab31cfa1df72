"""Step-up: which scopes a user's next authorization asks for besides, and when asking has to end.

An MCP server answers 403 ``insufficient_scope`` (RFC 6750 section 3.1) when an operation needs more than the token
has. What it wants is noted here, for one user at one gateway and one issuer; the authorization that the user begins
within the hour asks for the union of it and what the token had. The scopes never travel in an authorize URL, so
nobody can make a user ask for more than a server did.

Nearly always there is no note. So a gateway at which there may be one is marked, and a worker that saw no mark looks
again after ``UNSEEN`` only. Whoever notes something waits for longer than that before it is told to a client: a client
that then opens the browser within milliseconds, often at another worker, finds it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.errors import RecordConflict
from latchpin.model import StoredToken
from latchpin.model.accounts import name_account
from latchpin.oauth.scopes import MOST_SCOPES, is_scope
from latchpin.workers.bounded import Bounded
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["MOST_STEPS", "UNSEEN", "StepUp"]

MOST_STEPS = 3
"""How many authorizations of a user may fail to please one operation, the first one included: then it is refused."""
LIFETIME = timedelta(hours=1)
"""How long a note stands after its last change."""
UNSEEN = 0.1
"""Seconds that a worker may go on without having seen a mark."""
MOST_OPERATIONS = 50
_ATTEMPTS = 5
_MOST_REMEMBERED = 10_000
_SKEW = timedelta(minutes=1)
"""So far apart the clocks of workers may be."""
_MARKED_FOR = timedelta(hours=1)


@dataclass(slots=True)
class _Note:
    """What is kept. ``steps``: by operation, how often it was refused under how many tokens, and the last of them."""

    issuer: str | None
    scopes: list[str] = field(default_factory=list)
    steps: dict[str, tuple[int, str]] = field(default_factory=dict)


class StepUp:
    """Notes of missing scopes.

    Args:
        kept: where they are kept, for all workers.
        clock: the gateway's.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._seen: Bounded[str, tuple[float, bool]] = Bounded(_MOST_REMEMBERED)
        self._looking: SharedTasks[tuple[str, int], bool] = SharedTasks()

    async def wanted(self, gateway_id: str, owner: str, label: str, issuer: str | None) -> tuple[str, ...]:
        """The scopes that the next authorization of an account at this issuer asks for besides its usual ones.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if not await self.may_be_noted(gateway_id):
            return ()
        note = _parse(await self._kept.get(_name(gateway_id, owner, label)))
        return tuple(note.scopes) if note is not None and note.issuer == issuer else ()

    async def may_be_noted(self, gateway_id: str) -> bool:
        """Whether there may be a note about somebody at a gateway, as it was at most ``UNSEEN`` ago.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now = asyncio.get_running_loop().time()  # of this process, like the wait: no other clock has to agree
        read_at, marked = self._seen.get(gateway_id, (now - UNSEEN, False))
        if now < read_at + UNSEEN:
            return marked
        # Those who come within one part of the time look once.
        return await self._looking.run((gateway_id, int(now / UNSEEN)), lambda: self._look(gateway_id, now))

    async def note(self, refused: StoredToken, scopes: Sequence[str], *, operation: str) -> bool:
        """Note that ``operation`` was refused under this token for want of ``scopes``; returns once all see it.

        Returns:
            Whether an authorization may help: False once three under which the operation was refused did not.

        Raises:
            RecordConflict: others kept changing the note.
        """
        name = _name(refused.gateway_id, refused.app_user_email, refused.label)
        for _ in range(_ATTEMPTS):
            text = await self._kept.get(name)
            note = _parse(text)
            if note is None or note.issuer != refused.issuer:
                note = _Note(refused.issuer)
            if not _count(note, refused, operation):
                return False
            wanted = (*note.scopes, *refused.scopes, *(scope for scope in scopes if is_scope(scope)))
            note.scopes = list(dict.fromkeys(wanted))[:MOST_SCOPES]
            if await self._replace(name, text, _format(note)):
                await self._show(refused.gateway_id)
                return True
        raise RecordConflict("the note of a user's missing scopes kept changing while it was to be written")

    async def _look(self, gateway_id: str, now: float) -> bool:
        marked = await self._kept.get(_mark(gateway_id, self._clock())) is not None
        self._seen[gateway_id] = (now, marked)
        return marked

    async def _show(self, gateway_id: str) -> None:
        """Mark the gateway for as long as a note that is written now stands, and wait until every worker has looked."""
        now = self._clock()
        times = (now - _SKEW, now, now + LIFETIME, now + LIFETIME + _SKEW)
        for mark in sorted({_mark(gateway_id, time) for time in times}):
            await self._kept.put(mark, "1", expires_at=now + LIFETIME + _MARKED_FOR + _SKEW)
        await asyncio.sleep(UNSEEN * 1.2)  # more than is remembered: timers are not exact

    async def _replace(self, name: str, old: str | None, new: str) -> bool:
        if old == new:
            return True
        expires_at = self._clock() + LIFETIME
        if old is not None:
            return await self._kept.replace(name, new, replacing=old, expires_at=expires_at)
        return await self._kept.put(name, new, expires_at=expires_at) == new


def _count(note: _Note, refused: StoredToken, operation: str) -> bool:
    """Count a refusal once for each token; False if it is one too many."""
    token = f"{refused.id}:{refused.revision}"
    key = hashlib.sha256(operation.encode("utf-8", "replace")).hexdigest()[:16]
    count, last = note.steps.pop(key, (0, ""))
    if last != token:
        count, last = count + 1, token
    if count >= MOST_STEPS:
        return False
    note.steps[key] = (count, last)
    while len(note.steps) > MOST_OPERATIONS:
        note.steps.pop(next(iter(note.steps)))
    return True


def _name(gateway_id: str, owner: str, label: str) -> str:
    # Hashed, because a kept value's name has at most 255 characters, and an address may have 320.
    return f"step-up:{gateway_id}:{hashlib.sha256(name_account(owner, label).encode()).hexdigest()}"


def _mark(gateway_id: str, time: datetime) -> str:
    """The name of a gateway's mark for the hour that ``time`` is in."""
    return f"step-up:{gateway_id}:hour-{int(time.timestamp() // _MARKED_FOR.total_seconds())}"


def _format(note: _Note) -> str:
    return json.dumps({"issuer": note.issuer, "scopes": note.scopes, "steps": note.steps})


def _parse(text: str | None) -> _Note | None:
    if text is None:
        return None
    held = json.loads(text)
    steps = {key: (int(count), str(last)) for key, (count, last) in held["steps"].items()}
    return _Note(held["issuer"], list(held["scopes"]), steps)
