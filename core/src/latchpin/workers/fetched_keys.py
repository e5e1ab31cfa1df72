"""Keys that another server keeps: fetched at the opening, held in memory, and fetched anew from time to time.

Signing and sealing are done in the middle of things and wait for nobody. What a key service is asked for is therefore
not each seal but the data key, which it unwraps; with that the gateway seals by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from latchpin.contracts import DerivedKey, Keys
from latchpin.errors import ConfigurationError

__all__ = ["SOONEST", "fetched_keys"]

_log = logging.getLogger("latchpin.keys")

SOONEST = timedelta(seconds=10)
"""Between two fetches at the least: invented key ids must not turn into a flood of requests."""
KEY_BYTES = 32

Fetch = Callable[[], Awaitable[Sequence[DerivedKey]]]
Pause = Callable[[float], Awaitable[object]]


class _FetchedKeys:
    """Implements ``latchpin.contracts.Keys`` and ``ChangingKeys``."""

    changes = True

    def __init__(self, keys: Sequence[DerivedKey]) -> None:
        self.missed = asyncio.Event()
        self.take(keys)

    def take(self, keys: Sequence[DerivedKey]) -> None:
        """Use these from now on, and no others."""
        if not keys or any(len(each.key) != KEY_BYTES for each in keys):
            text = f"the key service gave {len(keys)} keys, and each must have {KEY_BYTES} bytes"
            remedy = f"Let the key service give at least one key of {KEY_BYTES} bytes; the first one is today's."
            raise ConfigurationError(text, remedy=remedy)
        self.current = keys[0]
        self._by_id = {key.id: key for key in reversed(keys)}

    def find(self, key_id: str) -> DerivedKey | None:
        """Look; a key that is not there may have come into use elsewhere, so they are fetched anew soon."""
        key = self._by_id.get(key_id)
        if key is None:
            self.missed.set()
        return key


@asynccontextmanager
async def fetched_keys(
    fetch: Fetch, *, every: timedelta = timedelta(minutes=5), pause: Pause = asyncio.sleep
) -> AsyncIterator[Keys]:
    """Fetch the keys, give them, and fetch them anew in the background until the end.

    Where a later fetch fails, the keys at hand stay, and a warning is logged. A key that is no longer among them is
    forgotten. To rotate without a gap, offer the new key among the others first, and as the first one after ``every``.

    Args:
        fetch: asks for the keys, each of 32 bytes: the one that seals, then those that only unseal.
        every: how long keys are used before they are fetched anew; sooner if an unknown one is asked for.
        pause: waits that many seconds; tests give one of their own.

    Raises:
        ConfigurationError: there is no key, or one of another length.
        Exception: whatever the first ``fetch`` raises.
    """
    keys = _FetchedKeys(await fetch())
    task = asyncio.create_task(_refresh(keys, fetch, every, pause))
    try:
        yield keys
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _refresh(keys: _FetchedKeys, fetch: Fetch, every: timedelta, pause: Pause) -> None:
    while True:
        await pause(SOONEST.total_seconds())
        await _first(keys.missed.wait(), pause((every - SOONEST).total_seconds()))
        keys.missed.clear()
        try:
            keys.take(await fetch())
        except Exception as exc:  # noqa: BLE001  a plugin may fail in any way; the keys at hand serve on
            _log.warning("The keys could not be fetched anew (%s); those at hand stay in use", type(exc).__name__)


async def _first(*waits: Awaitable[object]) -> None:
    """Wait for whichever ends first, and give up the others."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
