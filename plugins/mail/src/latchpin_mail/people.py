"""What each person was told by mail, and who wants none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock, Collection, Context
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document
from latchpin_attention.need import Need

__all__ = ["CHOICES", "PEOPLE", "Bounds", "Draft", "People", "Told", "draft"]

PEOPLE, CHOICES = CollectionSpec("mail_people"), CollectionSpec("mail_choices")
KEPT_FOR = timedelta(days=120)
"""How long it is remembered what somebody was told."""
GATHERED = timedelta(minutes=5)
"""For so long nobody is told: they may be at it, and more may come."""
TOLD_WITHIN = timedelta(days=30)
"""What has needed somebody for longer before they were first told is told no more."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much mail one person gets.

    Attributes:
        pause: between two mails.
        remind_after: until they are reminded of the same.
        reminders: how often they are.
    """

    pause: timedelta
    remind_after: timedelta
    reminders: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail that was decided and may not be in the outbox yet: its id, and the needs in it."""

    id: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody was told.

    Attributes:
        person: their address.
        needs: how often they were told of each need, and when last.
        last_at: when they last got a mail; None: never.
        draft: the next one.
        revision: of the stored document.
    """

    person: str
    needs: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)
    last_at: datetime | None = None
    draft: Draft | None = None
    revision: int = 0


def draft(told: Told, needs: Sequence[Need], bounds: Bounds, now: datetime) -> Told | None:
    """Decide a mail; None: there is nothing to tell now. Pure.

    Args:
        told: what they were told so far.
        needs: what needs them now.
        bounds: how much mail they get.
        now: the time.
    """
    if told.last_at is not None and now < told.last_at + bounds.pause:
        return None
    due = [each for each in needs if _is_due(told, each, bounds, now)]
    if not due:
        return None
    standing = {each.id for each in needs}
    counted = {each.id: (told.needs.get(each.id, (0, now))[0] + 1, now) for each in due}
    kept = {name: said for name, said in told.needs.items() if name in standing or now < said[1] + KEPT_FOR}
    named = "\n".join([told.person, *sorted(f"{name} {count}" for name, (count, _) in counted.items())])
    letter = Draft(hashlib.sha256(named.encode()).hexdigest()[:32], tuple(each.id for each in due))
    return replace(told, needs=kept | counted, last_at=now, draft=letter)


def _is_due(told: Told, need: Need, bounds: Bounds, now: datetime) -> bool:
    if need.id not in told.needs:
        return need.since + GATHERED <= now < need.since + TOLD_WITHIN
    count, last = told.needs[need.id]
    return count <= bounds.reminders and now >= last + bounds.remind_after


class People:
    """Keeps both.

    Args:
        told: where what they were told is kept.
        choices: where it is kept who wants no mail.
        clock: the gateway's.
    """

    def __init__(self, told: Collection, choices: Collection, clock: Clock) -> None:
        self._told = told
        self._choices = choices
        self._clock = clock

    @classmethod
    def of(cls, context: Context) -> People:
        """Those of a gateway."""
        return cls(context.collection(PEOPLE), context.collection(CHOICES), context.clock)

    async def get(self, person: str) -> Told:
        """What somebody was told."""
        held = await self._told.get(_name(person))
        return Told(person) if held is None else _parse(person, held)

    async def put(self, told: Told) -> Told | None:
        """Write it in place of what was read; None: somebody else wrote meanwhile."""
        document = Document(_name(told.person), _format(told), revision=told.revision)
        try:
            stored = await self._told.put(replace(document, expires_at=self._clock() + KEPT_FOR))
        except RecordConflict:
            return None
        return replace(told, revision=stored.revision)

    async def wants_mail(self, person: str) -> bool:
        """Whether somebody did not say that they want none."""
        return await self._choices.get(_name(person)) is None

    async def choose(self, person: str, *, wanted: bool) -> None:
        """Note what somebody wants.

        Raises:
            RecordConflict: it kept changing.
        """
        for _ in range(_ATTEMPTS):
            held = await self._choices.get(_name(person))
            if (held is None) == wanted:
                return
            if wanted:
                await self._choices.delete(_name(person))
                return
            try:
                await self._choices.put(Document(_name(person), {"off_at": self._clock().isoformat()}))
            except RecordConflict:
                continue
            return
        raise RecordConflict("what somebody wants by mail kept changing while it was to be written")


def _name(person: str) -> str:
    return hashlib.sha256(person.encode()).hexdigest()


def _format(told: Told) -> dict[str, Any]:
    return {
        "needs": {name: [count, at.isoformat()] for name, (count, at) in told.needs.items()},
        "last_at": None if told.last_at is None else told.last_at.isoformat(),
        "draft": None if told.draft is None else {"id": told.draft.id, "needs": list(told.draft.needs)},
    }


def _parse(person: str, held: Document) -> Told:
    body = held.body
    letter = body["draft"]
    return Told(
        person,
        {name: (int(count), datetime.fromisoformat(at)) for name, (count, at) in body["needs"].items()},
        None if body["last_at"] is None else datetime.fromisoformat(body["last_at"]),
        None if letter is None else Draft(letter["id"], tuple(letter["needs"])),
        held.revision,
    )
