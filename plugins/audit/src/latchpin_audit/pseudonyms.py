"""People in the audit log: by a pseudonym under a key of their own, which can be thrown away.

A person's key is made at first use and kept sealed. Once it is gone, nothing leads from the address to the entries
or back; the entries themselves, and the chain they form, stay as they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets

from latchpin.contracts import Cipher, KeyValueRecords
from latchpin.errors import Unsealable
from latchpin.model import Sealed
from latchpin.sdk.workers import Bounded

__all__ = ["ALIAS", "COMPANYS", "GATEWAY", "PERSON", "Names", "Pseudonyms", "place_of"]

_MOST_REMEMBERED = 10_000
PERSON, ALIAS = "audit-person:", "audit-name:"
"""Begin the names under which people's keys, and whose pseudonyms are, are kept."""
GATEWAY = "gateway"
"""Stands for the gateway itself, which is no person."""
COMPANYS = "company"
"""Stands for whoever uses the account that all share."""


class Pseudonyms:
    """Turns addresses into pseudonyms, and back for as long as the person is not forgotten.

    Args:
        kept: where the keys are kept.
        cipher: seals them there.
    """

    def __init__(self, kept: KeyValueRecords, cipher: Cipher) -> None:
        self._kept = kept
        self._cipher = cipher
        self._named: Bounded[str, bool] = Bounded(_MOST_REMEMBERED)
        """Pseudonyms met here, and whether their names are kept. A forgotten person's comes never again."""

    async def of(self, email: str) -> str:
        """The person's pseudonym, and whose it is is kept; raises as ``look`` does."""
        pseudonym = await self.look(email)
        await self.name(email, pseudonym)
        return pseudonym

    async def look(self, email: str) -> str:
        """The person's pseudonym; the first worker that asks makes it. ``name`` is to keep whose it is.

        Raises:
            Unsealable: the person's key was sealed under a secret that this gateway does not have.
            BackendUnavailable: the store cannot be asked.
        """
        name, place = _person(email)
        held = await self._kept.get(name)
        if held is not None:
            return self._pseudonym(email, held)
        new = json.dumps({"key": secrets.token_hex(32)})
        held = await self._kept.put(name, self._cipher.seal(new, associated_data=place))
        pseudonym = self._pseudonym(email, held)
        if pseudonym not in self._named:
            self._named[pseudonym] = False
        return pseudonym

    async def name(self, email: str, pseudonym: str) -> None:
        """Keep whose a pseudonym of ``of`` is, unless that is kept.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if self._named.get(pseudonym, False):
            return
        alias = _alias(pseudonym)
        if pseudonym in self._named or await self._kept.get(alias) is None:
            await self._kept.put(alias, self._cipher.seal(email, associated_data=("audit", pseudonym)))
            if await self.find(email) != pseudonym:  # forgotten meanwhile: the name must not outlive the key
                await self._kept.take(alias)
                return
        self._named[pseudonym] = True

    async def find(self, email: str) -> str | None:
        """The person's pseudonym if there is one; makes none."""
        held = await self._kept.get(_person(email)[0])
        return None if held is None else self._pseudonym(email, held)

    async def name_of(self, pseudonym: str) -> str | None:
        """Whose it is; None if the person was forgotten, or no key we have opens the name."""
        held = await self._kept.get(_alias(pseudonym))
        if held is None:
            return None
        try:
            return self._cipher.unseal(Sealed(held), associated_data=("audit", pseudonym))
        except Unsealable:
            return None

    async def forget(self, email: str) -> bool:
        """Throw the person's key and name away; False if nobody of that address is known."""
        name, _ = _person(email)
        held = await self._kept.take(name)
        if held is None:
            return False
        await self._kept.take(_alias(self._pseudonym(email, held)))
        return True

    def _pseudonym(self, email: str, held: str) -> str:
        key = json.loads(self._cipher.unseal(Sealed(held), associated_data=_person(email)[1]))["key"]
        return f"person-{hmac.new(bytes.fromhex(key), email.encode(), hashlib.sha256).hexdigest()[:24]}"


class Names:
    """Whose pseudonyms are, while many entries are read: the store is asked once for each."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._found: dict[str, str] = {}

    async def of(self, pseudonym: str) -> str:
        """Whose it is; ``""`` if the person was forgotten, or it is nobody's."""
        if pseudonym not in self._found:
            self._found[pseudonym] = await self._pseudonyms.name_of(pseudonym) or ""
        return self._found[pseudonym]


def place_of(name: str) -> tuple[str, ...]:
    """The place, as the cipher knows it, of what is kept under ``name``."""
    return ("audit", name.partition(":")[2])


def _person(email: str) -> tuple[str, tuple[str, ...]]:
    """Where a person's key is kept, and its place as the cipher knows it."""
    name = PERSON + hashlib.sha256(email.encode()).hexdigest()
    return name, place_of(name)


def _alias(pseudonym: str) -> str:
    return ALIAS + pseudonym
