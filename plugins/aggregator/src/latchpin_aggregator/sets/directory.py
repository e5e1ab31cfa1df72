"""The sets: who may read and write them."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from latchpin.contracts import Collection
from latchpin.errors import Conflict, Forbidden, NotFound, RecordConflict
from latchpin.model import Caller, CollectionSpec, Gateway
from latchpin.sdk.stores import scan_all
from latchpin.sdk.workers import Recent

from latchpin_aggregator.sets.entry import SetBody, build_set, change_set
from latchpin_aggregator.sets.facts import SET_CHANGED, SET_CREATED, SET_REMOVED
from latchpin_aggregator.sets.gateway_set import GatewaySet, is_slug

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["SETS", "Sets", "describe_set", "open_sets"]

SETS = CollectionSpec("aggregator_sets")
MOST_SETS = 1_000
_ATTEMPTS = 5
_MEMBERS = ("name", "description", "gateways", "allowed_users")


class Sets:
    """Creates, changes, removes and finds sets."""

    def __init__(self, application: Application) -> None:
        services = application.services
        self._gateways = application.gateways
        self._clock = services.clock
        self._activity = services.activity
        self._documents: Collection = services.context.collection(SETS)
        self._recent: Recent[str, GatewaySet] = Recent(self._clock, MOST_SETS)

    # -- reading ------------------------------------------------------------------------------------------

    async def list(self, caller: Caller) -> builtins.list[GatewaySet]:
        """Those that the caller may use, by slug."""
        found = [GatewaySet.read(held) async for held in scan_all(self._documents)]
        return [each for each in found if each.lets_in(caller)]

    async def get(self, slug: str, caller: Caller) -> GatewaySet:
        """Look, for a caller.

        Raises:
            NotFound: there is none, or none that this caller may know of: both read alike.
            BackendUnavailable: the store cannot be asked.
        """
        held = await self._documents.get(slug) if is_slug(slug) else None
        found = None if held is None else GatewaySet.read(held)
        if found is None or not found.lets_in(caller):
            words = "there is no set with this slug, or none that you may use"
            raise NotFound(words, remedy="The page Sets lists yours.")
        return found

    async def get_recent(self, slug: str, caller: Caller) -> GatewaySet:
        """Look, in what was read at most a second ago: what every message to a set's endpoint needs.

        What this process writes is seen at once, and who is refused was refused by what the store has now.

        Raises:
            As ``get``.
        """
        known = self._recent.get(slug)
        if known is not None and known.lets_in(caller):
            return known
        return await self._recent.read(slug, partial(self.get, slug, caller))

    # -- writing ------------------------------------------------------------------------------------------

    async def create(self, body: SetBody, caller: Caller) -> GatewaySet:
        """Create a set.

        Raises:
            Forbidden: the caller is no administrator.
            InvalidRequest: the body does not hold.
            Conflict: there is one with that slug, or there are too many.
        """
        _check_admin(caller)
        made = build_set(body, known=await self._known(caller), now=self._clock())
        if await self._documents.count() >= MOST_SETS:
            raise Conflict(f"there are {MOST_SETS} sets, and no more are kept", remedy="Remove one that nobody uses.")
        try:
            made = await self._write(made)
        except RecordConflict:
            raise Conflict(
                f"there is a set {made.slug} already", remedy="Change that one, or take another slug."
            ) from None
        await self._activity.tell(SET_CREATED, actor=caller.email, slug=made.slug)
        return made

    async def change(self, slug: str, body: SetBody, caller: Caller) -> GatewaySet:
        """Change a set: what the body does not name stays.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is no such set.
            InvalidRequest: the body does not hold, or contradicts what is there.
            Conflict: the body names a revision that is no longer the set's, or others keep changing it.
        """
        _check_admin(caller)
        for _ in range(_ATTEMPTS):
            earlier = await self.get(slug, caller)
            if body.revision not in {None, earlier.revision}:
                raise Conflict("the set was changed by somebody else", remedy="Read it again.")
            changed = change_set(earlier, body, known=await self._known(caller), now=self._clock())
            try:
                written = await self._write(changed)
            except RecordConflict:
                continue
            names = tuple(name for name in _MEMBERS if getattr(earlier, name) != getattr(written, name))
            await self._activity.tell(SET_CHANGED, actor=caller.email, slug=slug, changed=names)
            return written
        raise Conflict("the set keeps being changed by others")

    async def remove(self, slug: str, caller: Caller) -> GatewaySet:
        """Remove a set; return what it was. Its gateways stay.

        Raises:
            Forbidden, NotFound: as ``change`` does.
        """
        _check_admin(caller)
        earlier = await self.get(slug, caller)
        removed = await self._documents.delete(slug)
        self._recent.forget(slug)
        if not removed:
            raise NotFound("the set was removed by somebody else")
        await self._activity.tell(SET_REMOVED, actor=caller.email, slug=slug)
        return earlier

    async def _known(self, caller: Caller) -> set[str]:
        return {gateway.id for gateway in await self._gateways.list(caller)}

    async def _write(self, made: GatewaySet) -> GatewaySet:
        written = GatewaySet.read(await self._documents.put(made.dump()))
        self._recent.forget(made.slug)
        return written


async def open_sets(application: Application) -> Sets:
    """The process's sets."""

    @asynccontextmanager
    async def opener() -> AsyncIterator[Sets]:
        yield Sets(application)

    return await application.services.context.shared("aggregator-sets", opener)


def describe_set(found: GatewaySet, caller: Caller, *, gateways: Sequence[Gateway], base_url: str) -> dict[str, Any]:
    """A set as the API shows it. Who else may use it is for administrators.

    Args:
        found: the set.
        caller: who asks.
        gateways: those that the caller may use.
        base_url: the gateway's.
    """
    shown = {
        "slug": found.slug,
        "name": found.name,
        "description": found.description,
        "url": base_url + found.path,
        "gateways": [each.id for each in found.among(gateways)],
        "revision": found.revision,
        "created_at": found.created_at.isoformat(),
        "updated_at": found.updated_at.isoformat(),
    }
    return shown | ({"allowed_users": list(found.allowed_users)} if caller.is_admin else {})


def _check_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("only administrators make, change and remove sets")
