"""Who people are at the provider, and which sessions they have there: kept at each sign-in, for when they end."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Context
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import CollectionSpec, Document, Span
from latchpin.sdk.stores import scan_all

__all__ = ["KNOWN_PEOPLE", "KNOWN_SESSIONS", "KnownAtProvider", "KnownSession"]

KNOWN_PEOPLE = CollectionSpec("oidc_login_people", indexes=("person",))
"""A row for each address by which a person of the provider's signed in: all of them, each for ``REMEMBERED``."""
KNOWN_SESSIONS = CollectionSpec("oidc_login_sessions", indexes=("there",))
REMEMBERED = timedelta(days=400)
"""Since the last sign-in: what somebody got by it may be good for a year."""
_TRIES = 8


@dataclass(frozen=True, slots=True)
class KnownSession:
    """A session here that began by one at the provider."""

    id: str
    expires_at: datetime


class KnownAtProvider:
    """What is kept about one provider's people; their names there are kept as hashes.

    Args:
        context: the gateway's clock and stores.
        issuer: the provider's: another one's people are others.
    """

    def __init__(self, context: Context, issuer: str) -> None:
        self._people = context.collection(KNOWN_PEOPLE)
        self._sessions = context.collection(KNOWN_SESSIONS)
        self._clock = context.clock
        self._issuer = issuer

    async def put(self, email: str, *, subject: str, session: str, session_id: str, lifetime: timedelta) -> None:
        """Keep what a sign-in told.

        Args:
            email: who signed in, as the gateway knows them.
            subject: who that is at the provider.
            session: their session there; ``""``: it names none.
            session_id: their session here.
            lifetime: how long that may last.

        Raises:
            BackendUnavailable: it is not kept, so nobody is signed in.
        """
        await self._put_person(email, subject)
        if session:
            body = {"person": self._hash("sub", subject)}
            fields, end = {"there": self._hash("sid", session)}, self._clock() + lifetime
            await self._sessions.put(Document(session_id, body, fields, expires_at=end))

    async def emails_of(self, subject: str) -> list[str]:
        """As whom a person of the provider's signed in here; empty: never."""
        person = self._hash("sub", subject)
        earlier = await self._people.get(person)  # as earlier versions kept them: at most ten, in one row
        found = [] if earlier is None else [str(each) for each in earlier.body["emails"]]
        found += [str(held.body["email"]) async for held in scan_all(self._people, "person", Span.only(person))]
        return list(dict.fromkeys(found))

    async def sessions_of(self, session: str, *, subject: str) -> list[KnownSession]:
        """The sessions here that began by one at the provider; with ``subject``, only if it is that person's."""
        there, person = self._hash("sid", session), self._hash("sub", subject) if subject else ""
        found = scan_all(self._sessions, "there", Span.only(there))  # all: else somebody with many would keep one
        return [
            KnownSession(each.id, each.expires_at or self._clock() + REMEMBERED)
            async for each in found
            if not person or each.body["person"] == person
        ]

    async def _put_person(self, email: str, subject: str) -> None:
        person, end = self._hash("sub", subject), self._clock() + REMEMBERED
        name = f"{person}:{hashlib.sha256(email.encode()).hexdigest()}"
        for _ in range(_TRIES):
            held = await self._people.get(name)
            revision = 0 if held is None else held.revision
            with suppress(RecordConflict):  # the person signs in somewhere else at this moment
                await self._people.put(Document(name, {"email": email}, {"person": person}, revision, end))
                return
        raise BackendUnavailable("who somebody is at the provider keeps being written by others")

    def _hash(self, kind: str, name: str) -> str:
        text = f"{self._issuer}\0{kind}\0{name}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
