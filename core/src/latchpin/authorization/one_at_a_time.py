"""An account's authorizations at a gateway, redeemed one at a time: what was issued last must be what is kept last.

Some servers end a person's earlier grant with the next one. So whoever redeems a code holds a lease, of all workers.
It is taken while the state is consumed, and what else is then needed is read: the token that stands, and until when
what the person had has ended. It is given back after the answer. A worker that died is not waited for for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

from latchpin.errors import BackendUnavailable
from latchpin.identity.revocations import ended_at
from latchpin.model import StoredToken
from latchpin.services import Services
from latchpin.tokens.renewal import lease_of
from latchpin.tokens.shared_renewals import life_of_lease
from latchpin.workers.store_deadline import insist

__all__ = ["Turn", "Turns"]

PATIENCE = timedelta(seconds=10)
"""So long one authorization waits for another of the same account, and then goes on beside it."""


class Turn:
    """One authorization's turn; made by ``Turns.begin``. Whoever has it ends it."""

    def __init__(self, turns: Turns, services: Services, place: tuple[str, str, str], email: str) -> None:
        self._turns = turns
        self._services = services
        self._place = place
        self._held = AsyncExitStack()
        self._taking = asyncio.create_task(self._take())
        self._reading = asyncio.create_task(services.records.tokens.get(*place))
        self._asking = asyncio.create_task(ended_at(services.kept, email))

    async def reached(self) -> None:
        """Wait for it.

        Raises:
            BackendUnavailable: the store was away for OAUTH_CALLBACK_WAIT_SECONDS.
        """
        await self._taking

    async def earlier(self) -> StoredToken | None:
        """The token that stood when the turn was begun; it may have changed since.

        Raises:
            BackendUnavailable: the store did not answer then.
        """
        return await self._reading

    async def ended(self) -> datetime | None:
        """Until when nothing of who authorizes counts, as it was when the turn was begun; see ``ended_at``.

        Raises:
            BackendUnavailable: the store did not answer then.
        """
        return await self._asking

    def end(self) -> None:
        """Let the next one go on. Nobody waits for it."""
        self._turns.finish(self._give_back())

    async def _take(self) -> None:
        settings = self._services.settings
        life = life_of_lease(settings)

        async def take() -> None:
            lease = self._services.leases.hold("authorization", lease_of(*self._place), life=life, wait=PATIENCE)
            await self._held.enter_async_context(lease)

        with suppress(TimeoutError):
            await insist(take, until=asyncio.get_running_loop().time() + settings.oauth_callback_wait_seconds)

    async def _give_back(self) -> None:
        for done in (self._taking, self._reading, self._asking):
            with suppress(BackendUnavailable):
                await done
        await self._held.aclose()


class Turns:
    """Gives out turns."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ending: set[asyncio.Task[None]] = set()

    def begin(self, gateway_id: str, owner: str, label: str, *, email: str) -> Turn:
        """Begin to wait for a turn with that account; ``email`` is who authorizes."""
        return Turn(self, self._services, (gateway_id, owner, label), email)

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work``, for which nobody waits but ``close``."""
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait until all turns that were ended are given back."""
        await asyncio.gather(*self._ending)
