"""What loses its race each time is not kept, and whoever wanted it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.errors import RecordConflict
from latchpin.identity.assertion_store import AssertionStore
from latchpin.identity.revocations import end_everything_of, ended_at
from latchpin.model import IdentityAssertion, IdentityProvider
from latchpin_testing import MovedClock

NOW = MovedClock()()


class Kept:
    """Small values, with somebody who is faster every time at the first that is put, and at what replaces it.

    Args:
        other: what somebody else has kept whenever we come.
        times: how often.
    """

    def __init__(self, other: str, *, times: int) -> None:
        self._other = other
        self._times = times
        self._first: str | None = None
        self._values: dict[str, str] = {}

    async def put(self, name: str, value: str, **_: object) -> str:
        self._first = self._first or name
        self._be_faster(name)
        return self._values.setdefault(name, value)

    async def replace(self, name: str, value: str, *, replacing: str, **_: object) -> bool:
        if self._be_faster(name) or self._values.get(name) != replacing:
            return False
        self._values[name] = value
        return True

    def _be_faster(self, name: str) -> bool:
        if not self._times or name != self._first:
            return False
        self._times -= 1
        self._values[name] = self._other
        return True

    async def get(self, name: str) -> str | None:
        return self._values.get(name)

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        return self._values.pop(name, None) if value in {None, self._values.get(name)} else None


class Cipher:
    def seal(self, plaintext: str, **_: object) -> str:
        return plaintext


async def test_an_assertion_that_is_not_kept_is_an_error():
    provider = IdentityProvider("https://idp.example", None, "client")
    shelf = AssertionStore(Kept("theirs", times=99), Cipher())
    with pytest.raises(RecordConflict, match="kept"):
        await shelf.put("ann@example.com", provider, IdentityAssertion("a.b.c", provider.issuer, NOW))


async def test_an_earlier_end_never_stands_in_the_way_of_a_later_one():
    kept = Kept((NOW - timedelta(seconds=9)).isoformat(), times=3)
    await end_everything_of(kept, "ann@example.com", NOW)
    assert await ended_at(kept, "ann@example.com") == NOW


async def test_a_later_end_stands():
    later = NOW + timedelta(seconds=9)
    kept = Kept(later.isoformat(), times=1)
    await end_everything_of(kept, "ann@example.com", NOW)
    assert await ended_at(kept, "ann@example.com") == later


async def test_an_end_that_cannot_be_written_is_an_error():
    with pytest.raises(RecordConflict):
        await end_everything_of(Kept((NOW - timedelta(seconds=9)).isoformat(), times=999), "ann@example.com", NOW)
