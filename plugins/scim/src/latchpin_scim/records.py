"""What the directory said, kept: users by our id, and who has which ``userName``."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from latchpin.contracts import Collection, Context
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span
from latchpin.sdk.stores import scan_all

from latchpin_scim.errors import ScimError
from latchpin_scim.user import User, fold

__all__ = ["NAMES", "USERS", "UserRecords"]

USERS = CollectionSpec("scim_users", indexes=("external",))
NAMES = CollectionSpec("scim_names")
_PAGE = 200
_ATTEMPTS = 5


class UserRecords:
    """Keeps users. A ``userName`` is claimed before the user is written, so that two cannot have one.

    Args:
        context: the gateway's stores.
    """

    def __init__(self, context: Context) -> None:
        self._users: Collection = context.collection(USERS)
        self._names: Collection = context.collection(NAMES)

    async def get(self, id: str) -> User | None:  # noqa: A002  SCIM's
        """Look. None if there is none."""
        held = await self._users.get(id)
        return None if held is None else _read(held)

    async def find_name(self, user_name: str) -> User | None:
        """Who has that ``userName``, in any case; None if nobody has."""
        claim = await self._names.get(_hash(fold(user_name)))
        user = None if claim is None else await self.get(str(claim.body["user"]))
        return user if user is not None and fold(user.user_name) == fold(user_name) else None

    async def find_external(self, external_id: str) -> list[User]:
        """Who has that ``externalId``; nobody makes it unique."""
        found = scan_all(self._users, "external", Span.only(_hash(external_id)))
        return [_read(each) async for each in found]

    async def list(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """Some of all users, by id, and how many there are."""
        total, found, after = await self._users.count(), list[User](), None
        while skip < total and len(found) < limit:
            page = await self._users.scan(after=after, limit=_PAGE)
            if not page:
                break
            after = (page[-1].id, page[-1].id)
            found += [_read(each) for each in page[skip:]]
            skip = max(0, skip - len(page))
        return found[:limit], total

    async def put(self, user: User, *, earlier: User | None = None) -> User:
        """Write.

        Raises:
            ScimError: somebody else has that ``userName``.
            RecordConflict: somebody else wrote this user meanwhile.
        """
        await self._claim(user)
        fields = {"external": _hash(user.external_id)} if user.external_id else {}
        stored = await self._users.put(Document(user.id, _write(user), fields, user.revision))
        if earlier is not None and fold(earlier.user_name) != fold(user.user_name):
            await self._release(earlier)
        return replace(user, revision=stored.revision)

    async def delete(self, user: User) -> bool:
        """Remove, and give the ``userName`` free. False: somebody else wrote this user meanwhile, or removed it."""
        if not await self._users.delete(user.id, revision=user.revision):
            return False
        await self._release(user)
        return True

    async def _claim(self, user: User) -> None:
        name = _hash(fold(user.user_name))
        for _ in range(_ATTEMPTS):
            claim = await self._names.get(name)
            if claim is not None and claim.body["user"] == user.id:
                return
            if claim is not None and await self.find_name(user.user_name) is not None:
                raise ScimError(409, "another user has that userName", "uniqueness")
            with suppress(RecordConflict):  # whoever claimed it at the same moment is looked at next
                await self._names.put(Document(name, {"user": user.id}, revision=claim.revision if claim else 0))
                return
        raise RecordConflict("a userName is claimed and given free faster than it can be read")

    async def _release(self, user: User) -> None:
        name = _hash(fold(user.user_name))
        claim = await self._names.get(name)
        if claim is not None and claim.body["user"] == user.id:
            await self._names.delete(name, revision=claim.revision)


def _write(user: User) -> dict[str, Any]:
    body = asdict(user)
    del body["id"], body["revision"]
    return body | {"created_at": user.created_at.isoformat(), "changed_at": user.changed_at.isoformat()}


def _read(document: Document) -> User:
    body = dict(document.body)
    return User(
        id=document.id,
        user_name=body["user_name"],
        external_id=body["external_id"],
        display_name=body["display_name"],
        active=body["active"],
        emails=tuple(body["emails"]),
        addresses=tuple(body["addresses"]),
        created_at=datetime.fromisoformat(body["created_at"]),
        changed_at=datetime.fromisoformat(body["changed_at"]),
        revision=document.revision,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
