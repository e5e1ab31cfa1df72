"""What MCP servers did not take although it looked good here: one note for a person at a gateway, for all workers.

A stored token may have time left while the server refuses it, or wants more scopes than it has. Only the call finds
that out; whoever leads a person through authorizations has to know it too. A note names the authorization that it is
about, so that the next one makes it void, and says whether another may help: an authorization that was begun for a
refusal, and met the same refusal within a minute, helps nobody the second time. A server that wants other scopes than
before refuses in another way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.model import StoredToken
from latchpin.model.accounts import name_account, name_authorization

__all__ = ["MOST_WAYS", "ONCE_IN", "Refusal", "Refusals"]

ONCE_IN = timedelta(minutes=1)
"""No program sends its person to the same authorization twice within this time."""
MOST_WAYS = 4
"""In how many ways a server may refuse a person within ``ONCE_IN``: one that wants ever other scopes has an end too."""
LIFETIME = timedelta(hours=1)
_NONE = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What somebody was told who got no further.

    Attributes:
        name: of the authorization that they owe: the same for all who are told of it, another one for the next.
        may_help: whether a program may send them there by itself.
        is_new: nobody was told of this authorization and this way to refuse it before.
    """

    name: str
    may_help: bool
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class _Note:
    """What is kept.

    Attributes:
        authorization: what was refused or declined (``""``: there was none).
        at: when that was first noted; where there was no authorization, again after ``ONCE_IN``.
        told: in which ways it was refused, with whether another authorization may help.
        seen: when each way in which this one and those before it were refused was last seen.
        declined: the person does without.
    """

    authorization: str
    at: datetime
    told: Mapping[str, bool] = field(default_factory=dict)
    seen: Mapping[str, datetime] = field(default_factory=dict)
    declined: bool = False

    @property
    def may_help(self) -> bool:
        return not self.declined and any(self.told.values())

    @property
    def name(self) -> str:
        return f"{self.authorization} {self.at.isoformat()}"


class Refusals:
    """Notes of refusals.

    Args:
        kept: where they are kept, for all workers.
        clock: the gateway's.
    """

    def __init__(self, kept: KeyValueRecords, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock

    async def stand(self, token: StoredToken) -> bool:
        """Whether the server refused what this authorization gave; renewing the token changes nothing about that."""
        note = _parse(await self._kept.get(_name(token.gateway_id, name_account(token.app_user_email, token.label))))
        return note is not None and note.authorization == _authorization(token)

    async def may_help(self, gateway_id: str, account: str) -> bool:
        """Whether something was noted of an account, and an authorization may help."""
        note = _parse(await self._kept.get(_name(gateway_id, account)))
        return note is not None and note.may_help

    async def latest(self, gateway_id: str, account: str) -> str | None:
        """The name of what the person was told last, whether they have authorized since or not; None: nothing."""
        note = _parse(await self._kept.get(_name(gateway_id, account)))
        return None if note is None else note.name

    async def note(
        self, gateway_id: str, account: str, token: StoredToken | None, *, wanted: Sequence[str] | None = None
    ) -> Refusal:
        """Note that somebody got no further with ``token``, or for want of one.

        Args:
            gateway_id: whose server refused.
            account: whose and which, as ``name_account`` names it.
            token: what they have; None: nothing.
            wanted: the scopes that the server wants, which may be none that it names; None: it wants another token.

        Returns:
            What they owe, and whether another authorization may help.
        """
        authorization, way, now = _authorization(token), _way(wanted), self._clock()
        note = _parse(await self._kept.get(_name(gateway_id, account))) or _Note(authorization, now)
        if note.authorization != authorization:
            recent = {name: at for name, at in note.seen.items() if now < at + ONCE_IN}
            note = _Note(authorization, now, seen={} if authorization == _NONE else recent)
        elif note.declined or (way in note.told and not _is_over(note, now)):
            return Refusal(note.name, note.told.get(way, False) and not note.declined)
        if authorization == _NONE:
            note = replace(note, at=now)
        seen = {} if authorization == _NONE else {**note.seen, way: now}
        helps = way not in note.seen and len(seen) <= MOST_WAYS
        note = replace(note, told={**note.told, way: helps}, seen=seen)
        await self._put(gateway_id, account, note, now)
        return Refusal(note.name, helps, is_new=True)

    async def decline(self, gateway_id: str, account: str, token: StoredToken | None) -> None:
        """Note that somebody was asked to authorize and does without: no program asks again by itself for an hour."""
        now = self._clock()
        await self._put(gateway_id, account, _Note(_authorization(token), now, declined=True), now)

    async def _put(self, gateway_id: str, account: str, note: _Note, now: datetime) -> None:
        """Put it in place of an earlier one; of several who do so at once, any one's is as good."""
        name = _name(gateway_id, account)
        await self._kept.take(name)
        await self._kept.put(name, _format(note), expires_at=now + LIFETIME)


def _is_over(note: _Note, now: datetime) -> bool:
    """Whether somebody without an authorization may have had one since: nothing in the note would tell."""
    return note.authorization == _NONE and now >= note.at + ONCE_IN


def _authorization(token: StoredToken | None) -> str:
    return _NONE if token is None else name_authorization(token)


def _way(wanted: Sequence[str] | None) -> str:
    """Names a way to refuse: a server may name as many scopes as it likes."""
    return _NONE if wanted is None else hashlib.sha256(" ".join(sorted(wanted)).encode()).hexdigest()[:16]


def _name(gateway_id: str, account: str) -> str:
    # Hashed, because a kept value's name has at most 255 characters, and an address may have 320. Anybody may ask for
    # accounts that they do not have, so a person's labels share so many names: else each would be one more to keep.
    owner, _, label = account.partition("\n")
    place = name_account(owner, hashlib.sha256(label.encode()).hexdigest()[:2] if label else "")
    return f"refusals:{gateway_id}:{hashlib.sha256(place.encode()).hexdigest()}"


def _format(note: _Note) -> str:
    held = {
        "authorization": note.authorization,
        "at": note.at.isoformat(),
        "told": dict(note.told),
        "seen": {way: at.isoformat() for way, at in note.seen.items()},
        "declined": note.declined,
    }
    return json.dumps(held)


def _parse(text: str | None) -> _Note | None:
    if text is None:
        return None
    held = json.loads(text)
    seen = {way: datetime.fromisoformat(at) for way, at in held["seen"].items()}
    return _Note(held["authorization"], datetime.fromisoformat(held["at"]), held["told"], seen, held["declined"])
