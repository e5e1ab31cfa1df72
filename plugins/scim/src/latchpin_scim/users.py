"""What the directory says, carried out: who is not active, or not there any more, is out."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from latchpin.errors import NotFound, RecordConflict
from latchpin.sdk.gateway import DIRECTORY, Application
from latchpin_offboarding.people import People

from latchpin_scim.changes import apply_changes
from latchpin_scim.errors import ScimError
from latchpin_scim.filters import Filter
from latchpin_scim.records import UserRecords
from latchpin_scim.user import User, parse_user

__all__ = ["Users"]

WAY = "scim"
_ATTEMPTS = 5


class Users:
    """The directory's users.

    Somebody is ended before it is kept that they are not active, and let in before it is kept that they are: what
    breaks off in between, the directory sends again. Only who becomes active is let in: another user who had the
    address, and is merely changed, lets nobody in. An administrator's end stands.

    Args:
        application: the gateway.
        records: what the directory said.
    """

    def __init__(self, application: Application, records: UserRecords) -> None:
        self._people = People(application)
        self._clock = application.services.clock
        self._records = records

    async def create(self, body: object) -> User:
        """Keep a new user.

        Raises:
            ScimError: it cannot be, or somebody has that ``userName``.
        """
        user = parse_user(body, id=str(uuid.uuid4()), now=self._clock())
        if await self._records.find_name(user.user_name) is not None:
            raise ScimError(409, "another user has that userName", "uniqueness")
        return await self._carry_out(user, None)

    async def get(self, id: str) -> User:  # noqa: A002  SCIM's
        """One user. Raises ScimError if there is none."""
        user = await self._records.get(id) if _is_id(id) else None
        if user is None:
            raise ScimError(404, "there is no such user")
        return user

    async def find(self, wanted: Filter) -> list[User]:
        """Those that a filter finds."""
        if wanted.attribute == "externalId":
            return await self._records.find_external(wanted.value)
        if wanted.attribute == "userName":
            found = await self._records.find_name(wanted.value)
        else:
            found = await self._records.get(wanted.value) if _is_id(wanted.value) else None
        return [] if found is None else [found]

    async def list(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """Some of all, and how many there are."""
        return await self._records.list(skip=skip, limit=limit)

    async def replace(self, id: str, body: object) -> User:  # noqa: A002  SCIM's
        """Put another in a user's place. Raises ScimError if it cannot be."""
        return await self._change(id, lambda earlier: parse_user(body, id=id, now=self._clock(), earlier=earlier))

    async def patch(self, id: str, body: object) -> User:  # noqa: A002  SCIM's
        """Change a user. Raises ScimError if it cannot be."""
        return await self._change(id, lambda earlier: apply_changes(earlier, body))

    async def delete(self, id: str) -> None:  # noqa: A002  SCIM's
        """Remove a user, who is out. Raises ScimError if there is none."""
        for _ in range(_ATTEMPTS):
            user = await self.get(id)
            await self._end(user)
            if await self._records.delete(user):
                return  # else the directory changed it meanwhile: what it has now ends too
        raise ScimError(409, "the user kept changing")

    async def _change(self, id: str, change: Callable[[User], User]) -> User:  # noqa: A002  SCIM's
        for _ in range(_ATTEMPTS):
            earlier = await self.get(id)
            with suppress(RecordConflict):  # the directory sent two at once
                return await self._carry_out(replace(change(earlier), changed_at=self._clock()), earlier)
        raise ScimError(409, "the user kept changing")

    async def _carry_out(self, user: User, earlier: User | None) -> User:
        let_in: list[str] = []
        if not user.active:
            await self._end(user)
        elif earlier is None or not earlier.active:
            let_in = await self._let_in(user)
        try:
            return await self._records.put(user, earlier=earlier)
        except (RecordConflict, ScimError):  # somebody else wrote, perhaps that they left: theirs stands
            await self._end_all(let_in)
            raise

    async def _end(self, user: User) -> None:
        await self._end_all(user.addresses)

    async def _end_all(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            await self._people.end(address, DIRECTORY, way=WAY)
        await self._people.begin_work()

    async def _let_in(self, user: User) -> builtins.list[str]:
        """Let them in by each address; which of these were out."""
        found = []
        for address in user.addresses:
            with suppress(NotFound):
                await self._people.restore(address, DIRECTORY, way=WAY)
                found.append(address)
        return found


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
