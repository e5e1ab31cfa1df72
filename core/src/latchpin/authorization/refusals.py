"""What MCP servers did not take although it looked good here: one note for a person at a gateway, for all workers.

A stored token may have time left while the server refuses it, or wants more scopes than it has. Only the call finds
that out; whoever leads a person through authorizations has to know it too. A note names the authorization that it is
about, so that the next one makes it void, and says whether another may help: an authorization that was begun for such
a refusal, and was refused within a minute, helps nobody the second time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Clock, KeyValueRecords
from latchpin.model import StoredToken

__all__ = ["ONCE_IN", "Refusals"]

ONCE_IN = timedelta(minutes=1)
"""No program sends its person to the same authorization twice within this time."""
LIFETIME = timedelta(hours=1)
_NONE = ""


@dataclass(frozen=True, slots=True)
class _Note:
    """What is kept: what was refused or declined under which authorization (``""``: there was none), and when."""

    authorization: str
    at: datetime
    may_help: bool


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
        note = _parse(await self._kept.get(_name(token.gateway_id, token.app_user_email)))
        return note is not None and note.authorization == _authorization(token)

    async def may_help(self, gateway_id: str, email: str) -> bool:
        """Whether something was noted of ``email``, and an authorization may help."""
        note = _parse(await self._kept.get(_name(gateway_id, email)))
        return note is not None and note.may_help

    async def note(self, gateway_id: str, email: str, token: StoredToken | None) -> bool:
        """Note that ``email`` got no further with ``token``, or for want of one.

        Returns:
            Whether another authorization may help, so that a program may send its person there by itself.
        """
        authorization = _authorization(token)
        earlier = _parse(await self._kept.get(_name(gateway_id, email)))
        if earlier is not None and earlier.authorization == authorization:
            return earlier.may_help
        now = self._clock()
        noted = _NONE if earlier is None else earlier.authorization
        again = earlier is not None and _NONE not in {noted, authorization} and now < earlier.at + ONCE_IN
        await self._put(gateway_id, email, _Note(authorization, now, may_help=not again))
        return not again

    async def decline(self, gateway_id: str, email: str, token: StoredToken | None) -> None:
        """Note that ``email`` was asked to authorize and does without: no program asks again by itself for an hour."""
        await self._put(gateway_id, email, _Note(_authorization(token), self._clock(), may_help=False))

    async def _put(self, gateway_id: str, email: str, note: _Note) -> None:
        """Put it in place of an earlier one; of several who do so at once, any one's is as good."""
        name = _name(gateway_id, email)
        await self._kept.take(name)
        await self._kept.put(name, _format(note), expires_at=note.at + LIFETIME)


def _authorization(token: StoredToken | None) -> str:
    """Names what a token came from. A renewal keeps it; only where it is not known does each token have its own."""
    return _NONE if token is None else f"{token.id}:{token.flow_id or token.revision}"


def _name(gateway_id: str, email: str) -> str:
    # Hashed, because a kept value's name has at most 255 characters, and an address may have 320.
    return f"refused:{gateway_id}:{hashlib.sha256(email.encode()).hexdigest()}"


def _format(note: _Note) -> str:
    return json.dumps({"authorization": note.authorization, "at": note.at.isoformat(), "may_help": note.may_help})


def _parse(text: str | None) -> _Note | None:
    if text is None:
        return None
    held = json.loads(text)
    return _Note(held["authorization"], datetime.fromisoformat(held["at"]), bool(held["may_help"]))
