"""How often wrong user codes are typed: by one person, from one address, in all (RFC 8628 section 5.1).

A code has 34 bits. With ``Devices`` at its limit, all guesses that are let through in ten minutes find some device with
a probability of 1 in 50,000, and whoever finds one has signed in and is known.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from latchpin.contracts import Clock, Collection
from latchpin.model import CollectionSpec, Document, Span

from latchpin_authorization_server.errors import TooManyCodes

__all__ = ["GUESSES", "Guesses"]

GUESSES = CollectionSpec("authorization_device_guesses", ("person", "address"), disposable=True)
WINDOW = timedelta(minutes=10)
MOST_OF_ONE_PERSON = 10
MOST_FROM_ONE_ADDRESS = 50
MOST = 500


class Guess:
    """One code that somebody typed.

    Attributes:
        was_right: set by whoever judges it; else it counts.
    """

    def __init__(self) -> None:
        self.was_right = False


class Guesses:
    """Counts wrong codes."""

    def __init__(self, documents: Collection, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    @asynccontextmanager
    async def guess(self, email: str, address: str) -> AsyncIterator[Guess]:
        """Judge a code in here. It is noted before, so that many at once are not each the first.

        Raises:
            TooManyCodes: too many came; whether this one is right is not said.
        """
        noted = Document(
            secrets.token_urlsafe(16), {}, {"person": email, "address": address}, expires_at=self._clock() + WINDOW
        )
        await self._documents.put(noted)
        if await self._are_too_many(email, address):
            await self._documents.delete(noted.id)
            raise TooManyCodes
        guess = Guess()
        yield guess
        if guess.was_right:
            await self._documents.delete(noted.id)

    async def _are_too_many(self, email: str, address: str) -> bool:
        return (
            await self._documents.count("person", Span.only(email)) > MOST_OF_ONE_PERSON
            or await self._documents.count("address", Span.only(address)) > MOST_FROM_ONE_ADDRESS
            or await self._documents.count() > MOST
        )
