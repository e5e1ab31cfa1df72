"""How a callback fails: it waits for a store that is away, says whether the same link still holds, and leads on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from latchpin.contracts import StateStore
from latchpin.errors import BackendUnavailable, LatchpinError, StateAlreadyUsed
from latchpin.model import PendingAuthorization, StateKey
from latchpin.services import Services
from latchpin.workers.store_deadline import insist

__all__ = ["Patient", "leading_on", "unused", "used_up"]

ResultT = TypeVar("ResultT")

OPERATORS = "operators: see /ready and the log."
SAME_LINK = f"Nothing was used up: open the same link again in a moment; {OPERATORS}"
FROM_THE_START = f"Start again with Authorize in a moment; {OPERATORS}"

STORES_PRECISION = timedelta(seconds=1)


class Patient:
    """Asks the store for one callback, again while it is away, for OAUTH_CALLBACK_WAIT_SECONDS in all."""

    def __init__(self, services: Services, states: StateStore) -> None:
        self._states = states
        self._clock = services.clock
        self._until = asyncio.get_running_loop().time() + services.settings.oauth_callback_wait_seconds

    async def ask(self, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """What ``work`` gives; see ``insist``."""
        return await insist(work, until=self._until)

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Take the authorization; raises as ``StateStore.consume`` does.

        A store that took it, and whose answer was lost, says to the next try that the state is used. That is our own
        try, and no replay.
        """
        began, away = self._clock() - STORES_PRECISION, None

        async def take() -> PendingAuthorization:
            nonlocal away
            try:
                return await self._states.consume(key)
            except BackendUnavailable as exc:
                away = exc
                raise
            except StateAlreadyUsed as exc:
                if away is None or exc.used_at is None or exc.used_at < began:
                    raise
                raise _answer_lost() from away

        return await self.ask(take)


def _answer_lost() -> BackendUnavailable:
    error = BackendUnavailable("the store used the state up, and its answer was lost", remedy=FROM_THE_START)
    error.passing = False
    return error


@contextmanager
def unused() -> Iterator[None]:
    """While the state is not used up: a store that is away leaves the link as good as it was."""
    with _saying(SAME_LINK):
        yield


@contextmanager
def used_up() -> Iterator[None]:
    """Once it is: only a new authorization helps."""
    with _saying(FROM_THE_START):
        yield


@contextmanager
def _saying(remedy: str) -> Iterator[None]:
    try:
        yield
    except BackendUnavailable as exc:
        if "remedy" not in vars(exc):  # else it knows better what helps
            exc.remedy = remedy
        raise


@contextmanager
def leading_on(path: str) -> Iterator[None]:
    """Once the browser is proven: what failed says where the browser may go on without it, ``""`` if nowhere."""
    try:
        yield
    except LatchpinError as exc:
        exc.return_to = path
        raise
