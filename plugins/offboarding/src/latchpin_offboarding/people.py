"""People who leave, and come back: the one operation that ends all that somebody has here.

From then on nothing of theirs works anywhere: at this worker at once, at every other within a second. In this order, so
that what breaks off in between leaves nobody in: they are out; what was issued to them has ended; their connections are
gone here. Their servers are told afterwards, for as long as that takes.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from latchpin.errors import Forbidden, InvalidRequest, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, Connection, sign_out
from latchpin.sdk.identity import Barred, bar, ended_since, find_barred, is_out, let_in, list_barred
from latchpin.sdk.workers import SharedTasks

from latchpin_offboarding.owed import Owed, OwedRevocations

__all__ = ["Departed", "People"]

_SEE_WHO = "See who is: latchpin people list"


@dataclass(frozen=True, slots=True)
class Departed:
    """Somebody who is out, or whose tokens are still taken back although they were let in again.

    Attributes:
        barred: since when, and by whom; None: they were let in again.
        revocations: what their servers said, or are still to be asked.
        stay: what they connected for all, which stays.
    """

    email: str
    barred: Barred | None
    revocations: tuple[Owed, ...] = ()
    stay: tuple[Connection, ...] = ()

    @property
    def owed(self) -> int:
        """How many tokens are still to be revoked."""
        return sum(each.state == "owed" for each in self.revocations)

    @property
    def by(self) -> str:
        """Who ended them, and by which way, as people read it; empty if they are not out."""
        if self.barred is None:
            return ""
        return f"{'a directory' if self.barred.by_directory else self.barred.by} ({self.barred.way})"

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        barred = self.barred
        return {
            "app_user_email": self.email,
            "out": barred is not None,
            "since": barred.at.isoformat() if barred else None,
            "by": barred.by if barred else None,
            "way": barred.way if barred else None,
            "to_revoke": self.owed,
            "revocations": [each.describe() for each in self.revocations],
            "stay": [{"gateway_id": each.gateway.id, "gateway_name": each.gateway.name} for each in self.stay],
        }


class People:
    """Ends people, lets them in again, and says who is out.

    Args:
        application: the gateway.
    """

    def __init__(self, application: Application) -> None:
        self._services = application.services
        self._connections = application.connections
        self._owed = OwedRevocations(application)

    async def end(self, email: str, caller: Caller, *, way: str) -> Departed:
        """End everything of one person, and keep them out until they are let in again.

        Doing it twice does no harm, and does again what a first time left undone.

        Args:
            email: whose, from ``parse_email``.
            caller: who does it; for a directory or an identity provider ``CLIENT_ITSELF``, as an administrator.
            way: by which way, in one word.

        Raises:
            Forbidden: the caller is no administrator.
            InvalidRequest: it is the caller: nobody could let them in again from here.
            RecordConflict, BackendUnavailable: do it again.
        """
        self._check(caller)
        if email == caller.email and caller.via != "local":
            raise InvalidRequest(
                "that is you, and nobody ends themselves here",
                remedy=f"Let another administrator do it, or the command line: latchpin people end {email}",
            )
        services = self._services
        await self._owed.look_again_at(email)
        barred = await bar(services.kept, Barred(email, services.clock(), caller.email, way))
        await sign_out(services, email, actor=caller.email, way=way)
        taken = await self._owed.take_from(email)
        stay = await self._connections.shared_by(email)
        for each in stay:
            facts = {"actor": caller.email, "subject": email, "gateway_id": each.gateway.id}
            await services.activity.tell("connection.stays", **facts)
        await services.activity.tell("person.ended", actor=caller.email, subject=email, way=way, connections=len(taken))
        return Departed(email, barred, tuple(taken), tuple(stay))

    async def restore(self, email: str, caller: Caller, *, way: str | None = None) -> None:
        """Let a person in again. What ended stays ended: they sign in, and authorize, anew.

        Args:
            email: whom.
            caller: who does it.
            way: only if they are out by that way; None: whatever it was.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: they are not out, or not by that way.
            BackendUnavailable: do it again.
        """
        self._check(caller)
        stands = await find_barred(self._services.kept, email)
        if stands is not None and way in {None, stands.way}:
            await self._finish(stands)
        found = await let_in(self._services.kept, email, way=way)
        if found is None:
            raise NotFound(f"{email} is not out" + (f" by {way}" if way is not None else ""), remedy=_SEE_WHO)
        self._services.context.endings.note()
        await self._services.activity.tell("person.restored", actor=caller.email, subject=email, way=way or found.way)

    async def is_out(self, email: str) -> bool:
        """Whether somebody is out, as the store has it now."""
        return await is_out(self._services.kept, email)

    async def list(self, caller: Caller) -> builtins.list[Departed]:
        """Everybody who is out, who went last first; then those whose tokens are still taken back.

        Raises:
            Forbidden: the caller is no administrator.
            BackendUnavailable: the store cannot be asked.
        """
        self._check(caller)
        barred = await list_barred(self._services.kept)
        owed: dict[str, builtins.list[Owed]] = {}
        for each in await self._owed.list():
            owed.setdefault(each.email, []).append(each)
        found = [Departed(each.email, each, tuple(owed.pop(each.email, ()))) for each in barred]
        left = [Departed(email, None, tuple(each)) for email, each in owed.items()]
        return found + [each for each in left if each.owed]

    async def show(self, email: str, caller: Caller) -> Departed:
        """One of these, with what they connected for all.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: they are not out, and nothing of theirs is taken back.
            BackendUnavailable: the store cannot be asked.
        """
        self._check(caller)
        barred, owed = await find_barred(self._services.kept, email), await self._owed.list(email)
        if barred is None and not owed:
            raise NotFound(f"{email} is not out", remedy=_SEE_WHO)
        return Departed(email, barred, tuple(owed), tuple(await self._connections.shared_by(email)))

    # -- taking tokens back ---------------------------------------------------------------------------------

    async def work(self) -> int:
        """Try to revoke what is due; return how many tokens were tried.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        return await (await self._tries()).run(object(), self._owed.work)

    async def begin_work(self) -> None:
        """Try it at once, on the side: what fails is tried again by the background task."""
        (await self._tries()).begin(object(), self._owed.work)

    async def _tries(self) -> SharedTasks[object, int]:
        """The tries of this process that are under way."""
        return await self._services.context.shared("latchpin_offboarding tries", _opened)

    async def _finish(self, barred: Barred) -> None:
        """Do what was left undone when a person was ended: else what they had would come back with them."""
        if not await ended_since(self._services.kept, barred.email, barred.at):
            await sign_out(self._services, barred.email, actor=barred.by, way=barred.way)
        await self._owed.take_from(barred.email)

    def _check(self, caller: Caller) -> None:
        if not caller.is_admin:
            raise Forbidden("only administrators may end people, or let them in again")


@asynccontextmanager
async def _opened() -> AsyncIterator[SharedTasks[object, int]]:
    """Tries that are under way end before the stores are closed."""
    tries: SharedTasks[object, int] = SharedTasks()
    try:
        yield tries
    finally:
        await tries.close()
