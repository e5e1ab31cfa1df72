"""Which gateway, and whose token serves there: what each call of a program needs, as it was read a moment ago.

It buys each call its trips to the store and the opening of a seal: a program that calls a hundred times a second costs
one read of gateway and token together. What holds all the same:

- What another worker writes is seen within ``KEPT``, what this one writes at once: a connection that was ended or made
  anew, a person who left, a gateway that was changed or removed, other allowed users, a renewed token.
- Only what lets a call pass is kept. What refuses one was read for it, so nobody waits for a right that they have.
- Who calls again and again is not kept waiting either: what they call with is read anew before it is too old.
- A gateway and its token are kept as one read gave them: a token that was issued for a gateway's new server does not
  meet its old URL. Nor does the old server's token meet the new URL: it is gone before the new URL is there, and for
  ``SETTLES`` after a change the token is read once more, after the gateway.
- An open token is in memory no longer than its entry: nothing is kept beyond ``KEPT``, asked for or not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.errors import BackendUnavailable, LatchpinError
from latchpin.gateways.registry import check_known
from latchpin.identity.allowance import may_use
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway
from latchpin.oauth.lifetime import fresh_until
from latchpin.services import Services
from latchpin.tokens.service import TokenService, UsableToken
from latchpin.workers.ahead import due_at
from latchpin.workers.bounded import Bounded
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["KEPT", "MOST_KEPT", "Access", "AccessCache"]

KEPT = timedelta(seconds=1)
"""For how long what was read is used."""
SETTLES = timedelta(minutes=1)
"""For how long after a change a gateway's token is read after it: workers' clocks may differ, and reads may be slow."""
MOST_KEPT = 10_000
"""How many are kept; one more takes the place of the oldest."""

Key = tuple[str, str, str | None]
"""A gateway's id, the caller's address, and the account that they named."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Access:
    """A gateway that somebody may use, and the token that serves them there: one reading, equal to no other.

    Attributes:
        token: None where the gateway wants none, and where none serves as it is: then ``TokenService.token_for`` renews
            it, or says what is missing.
        account: the label of the account that serves, which is the caller's default where they named none.
    """

    gateway: Gateway
    token: UsableToken | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    access: Access
    read_at: datetime
    due: datetime
    until: datetime


class AccessCache:
    """Gives access to gateways; see the module.

    Args:
        services: records, what is written of them, and the clock are used.
        tokens: says whose token serves, and opens it.
    """

    def __init__(self, services: Services, tokens: TokenService) -> None:
        self._records = services.records
        self._writes = services.writes
        self._clock = services.clock
        self._tokens = tokens
        self._entries: Bounded[Key, _Entry] = Bounded(MOST_KEPT)
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: SharedTasks[Key, None] = SharedTasks()
        services.writes.listen(self._drop)

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._entries)

    async def get(self, gateway_id: str, caller: Caller) -> Access:
        """Look, in what was read at most ``KEPT`` ago.

        Raises:
            NotFound: there is no such gateway, or none that this caller may know of.
            InvalidRequest: the caller named an account where nobody has one, or all share one.
            BackendUnavailable: the store cannot be asked.
        """
        key = (gateway_id, caller.email, caller.account)
        entry, now = self._entries.get(key), self._clock()
        if entry is None or not entry.read_at <= now < entry.until or not may_use(entry.access.gateway, caller):
            return await self.read(gateway_id, caller)  # also where the clock was set back
        if now >= entry.due:
            self._renewing.begin(key, lambda: self._renew(key, caller, entry))
        return entry.access

    async def read(self, gateway_id: str, caller: Caller) -> Access:
        """Look in the store, for who was refused with what ``get`` gave; raises as ``get`` does."""
        key = (gateway_id, caller.email, caller.account)
        self._entries.pop(key, None)
        return await self._look(key, caller)

    async def close(self) -> None:
        """Forget everything, while the stores are still open."""
        await self._renewing.close()
        self._entries.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _renew(self, key: Key, caller: Caller, entry: _Entry) -> None:
        """Read what an entry has anew; where that lets no call pass any more, the entry goes at once."""
        try:
            await self._look(key, caller)
        except BackendUnavailable:
            return
        except LatchpinError:
            pass  # who calls next reads for themselves, and is told
        if self._entries.get(key) is entry:
            del self._entries[key]

    async def _look(self, key: Key, caller: Caller) -> Access:
        gateway_id = key[0]
        written, now = self._writes.count, self._clock()
        # In one trip, whose order is the store's: it may serve the token's read with another caller's, made before.
        found, stored = await asyncio.gather(
            self._records.gateways.get(gateway_id), self._records.tokens.get(gateway_id, caller.email, caller.account)
        )
        gateway = check_known(found, gateway_id, caller)
        owner, label = self._tokens.account_of(gateway, caller)
        if gateway.auth_type == "none":
            access = Access(gateway)
        else:
            if owner != caller.email or _was_changed(gateway, now):
                stored = await self._records.tokens.get(gateway_id, owner, label)
            usable = None if stored is None else await self._tokens.usable(gateway, stored, caller)
            access = Access(gateway, usable, (label or "") if stored is None else stored.label)
        if written == self._writes.count and (access.token is not None or gateway.auth_type == "none"):
            self._keep(key, access, now)
        return access

    def _keep(self, key: Key, access: Access, now: datetime) -> None:
        until = now + KEPT
        if access.token is not None:
            until = min(until, fresh_until(access.token.stored))
        self._entries.pop(key, None)  # so that the oldest is the first
        self._entries[key] = _Entry(access, now, due_at(now, KEPT), until)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT.total_seconds(), self._sweep)

    def _sweep(self) -> None:
        """Forget what is too old, also if nobody asks for it again."""
        self._timer, now = None, self._clock()
        while self._entries:
            key, oldest = next(iter(self._entries.items()))
            left = oldest.read_at + KEPT - now
            if timedelta(0) < left <= KEPT:
                self._timer = asyncio.get_running_loop().call_later(left.total_seconds(), self._sweep)
                return
            del self._entries[key]

    def _drop(self, gateway_id: str, owner: str | None, label: str) -> None:
        """This process wrote something: what was read of it before goes."""
        if owner not in {None, CLIENT_ITSELF, COMPANY}:
            for account in (None, label):  # it may be the default, or have been
                self._entries.pop((gateway_id, owner, account), None)
            return
        for key in [key for key in self._entries if key[0] == gateway_id]:
            del self._entries[key]


def _was_changed(gateway: Gateway, now: datetime) -> bool:
    """Whether a token that was read with it may be from before a change: see ``SETTLES``."""
    return gateway.revision > 1 and now < gateway.updated_at + SETTLES
