"""The sessions that this endpoint has with programs of 2025 and before.

A session's name holds all that there is to know of it, sealed for its person: every worker can serve it, and nothing is
kept. It is nobody else's, and does not depend on the token, which changes when it is renewed.
"""

from __future__ import annotations

import secrets

from latchpin.errors import CallerError
from latchpin.model import Caller
from latchpin.sdk.keys import NotBound

from latchpin_aggregator.names import Names
from latchpin_aggregator.profiles import Profile

__all__ = ["NotYours", "OwnSessions"]

_KIND = "session"


class NotYours(CallerError):
    """A session that this caller was not given here."""

    code = "not-yours"
    status = 404
    title = "Not one of yours"
    public = "That session is not one of yours here."
    remedy = "Begin a new session."


class OwnSessions:
    """Begins sessions, and knows them again."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def begin(self, caller: Caller, profile: Profile) -> str:
        """A new session's name."""
        binder = await self._names.of(caller)
        return binder.bind(_KIND, f"{secrets.token_urlsafe(12)} {profile}")

    async def read(self, name: str, caller: Caller) -> Profile:
        """The profile of the program in whose session the caller is.

        Raises:
            NotYours: the caller was not given a session of that name.
        """
        binder = await self._names.of(caller)
        try:
            return Profile.parse(binder.release(_KIND, name).partition(" ")[2])
        except (NotBound, ValueError):
            raise NotYours from None
