"""Identity providers' assertions about people, handed in and kept sealed until they expire, or their people's end.

It is the core's because several plugins share it, and each works without the others: a sign-in puts assertions in, a
grant takes them out, and ``break-glass`` forgets them all.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from latchpin.contracts import Cipher, KeyValueRecords
from latchpin.errors import RecordConflict, Unsealable
from latchpin.identity.revocations import mark_of_ends
from latchpin.model import IdentityAssertion, IdentityProvider, Sealed

__all__ = ["PREFIX", "AssertionStore"]

_ATTEMPTS = 5
PREFIX = "assertion:"
"""Begins the names that they are kept under."""


class AssertionStore:
    """Keeps one assertion for each person and client at an identity provider; nobody is given another's.

    Each is kept with its person's ``mark_of_ends``, and ends with what else the person has.
    """

    def __init__(self, kept: KeyValueRecords, cipher: Cipher) -> None:
        self._kept = kept
        self._cipher = cipher

    async def put(self, email: str, provider: IdentityProvider, assertion: IdentityAssertion) -> None:
        """Keep ``assertion``, in place of an earlier one, until it expires.

        Raises:
            RecordConflict: others kept handing in theirs, and this one is not kept.
        """
        name, place = _name(email, provider), _place(email, provider)
        ended = await mark_of_ends(self._kept, email)
        content = [assertion.token, assertion.expires_at.isoformat(), assertion.token_type, ended]
        sealed = self._cipher.seal(json.dumps(content), associated_data=place)
        for _ in range(_ATTEMPTS):
            await self._kept.take(name)
            if await self._kept.put(name, sealed, expires_at=assertion.expires_at) == sealed:
                return
        raise RecordConflict("other assertions of the same person kept coming while this one was to be kept")

    async def get(self, email: str, provider: IdentityProvider, *, now: datetime) -> IdentityAssertion | None:
        """Look. None if there is none, it has expired or ended, or no key that we have opens it."""
        name = _name(email, provider)
        sealed = await self._kept.get(name)
        if sealed is None:
            return None
        try:
            token, until, kind, *ended = json.loads(
                self._cipher.unseal(Sealed(sealed), associated_data=_place(email, provider))
            )
        except Unsealable:
            return None
        expires_at = datetime.fromisoformat(until)
        if now >= expires_at:
            return None
        if await mark_of_ends(self._kept, email) != "".join(ended):  # earlier versions kept none
            await self._kept.take(name, value=sealed)
            return None
        return IdentityAssertion(token, provider.issuer, expires_at, kind)

    async def take(self, email: str, provider: IdentityProvider) -> bool:
        """Forget it. False if there was none."""
        return await self._kept.take(_name(email, provider)) is not None

    async def clear(self) -> None:
        """Forget everybody's."""
        for name in await self._kept.list(PREFIX):
            await self._kept.take(name)


def _place(email: str, provider: IdentityProvider) -> tuple[str, str, str, str]:
    return ("", email, provider.issuer, f"assertion for {provider.client_id}")


def _name(email: str, provider: IdentityProvider) -> str:
    subject = f"{email}\0{provider.issuer}\0{provider.client_id}"
    return f"{PREFIX}{hashlib.sha256(subject.encode()).hexdigest()}"
