"""The groups that the provider named when a person signed in: kept for their programs, which bring no ID token."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Collection, Context
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import Caller, CollectionSpec, Document
from latchpin.sdk.workers import Bounded

__all__ = ["KEPT_GROUPS", "OidcGroups", "keep_groups"]

KEPT_GROUPS = CollectionSpec("oidc_login_groups")
REMEMBERED = timedelta(seconds=0.4)
"""With the half second that callers are remembered, a new sign-in counts everywhere within a second."""
_MOST = 10_000
_TRIES = 8


class OidcGroups:
    """In which groups people were when they last signed in; see ``latchpin.contracts.Groups``.

    Args:
        kept: what ``keep_groups`` wrote.
        clock: tells the time.
    """

    def __init__(self, kept: Collection, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._known: Bounded[str, tuple[datetime, frozenset[str]]] = Bounded(_MOST)

    async def of(self, caller: Caller) -> frozenset[str]:
        """The groups; none where the request itself says in which they are, or that they are in none: that is newer.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if caller.groups or caller.groups_said:
            return frozenset()
        now = self._clock()
        known = self._known.get(caller.email)
        if known is not None and known[0] <= now < known[0] + REMEMBERED:
            return known[1]
        document = await self._kept.get(_id(caller.email))
        groups = frozenset(document.body["groups"]) if document is not None else frozenset[str]()
        self._known[caller.email] = (now, groups)
        return groups


async def keep_groups(context: Context, email: str, groups: frozenset[str], *, lifetime: timedelta) -> None:
    """Keep what the provider just named, in place of what it named before.

    Raises:
        BackendUnavailable: it is not kept.
    """
    kept, now = context.collection(KEPT_GROUPS), context.clock()
    body = {"groups": sorted(groups), "seen_at": now.isoformat()}
    for _ in range(_TRIES):
        stored = await kept.get(_id(email))
        revision = 0 if stored is None else stored.revision
        try:
            await kept.put(Document(_id(email), body, revision=revision, expires_at=now + lifetime))
        except RecordConflict:
            continue  # the person signs in somewhere else at this moment
        return
    raise BackendUnavailable("the groups of somebody who signs in keep being written by others")


def _id(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()  # an address may be longer than a document's id
