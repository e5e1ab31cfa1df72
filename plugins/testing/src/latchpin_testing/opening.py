"""What every store suite needs: a clock, a context, and the store opened as the gateway opens it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from latchpin.contracts import Backend

from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.rules import holds
from latchpin_testing.sealing import SuiteCipher

__all__ = ["Advance", "AnyOffer", "AnySettings", "AnyStore", "OpenedBackend"]

AnySettings: TypeAlias = Any
"""The plugin's own settings model; each subclass knows which."""

AnyOffer: TypeAlias = Backend[Any, Any]
"""What the plugin's hook returns."""

AnyStore: TypeAlias = Any
"""The store under test; each suite knows which contract."""

Advance = Callable[[timedelta], Awaitable[None]]


class OpenedBackend:
    """The fixtures below every store suite. A subclass gives ``offer`` and ``settings``."""

    @pytest.fixture
    def offer(self) -> AnyOffer:
        """What your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'offer': return what your plugin's hook returns")

    @pytest.fixture
    def settings(self, offer: AnyOffer) -> AnySettings:
        """The settings to open the backend with. Override this so that every test begins with an empty store."""
        return offer.settings()

    @pytest.fixture
    def clock(self) -> MovedClock:
        """The clock that the store is given."""
        return MovedClock()

    @pytest.fixture
    def cipher(self) -> SuiteCipher:
        """What seals the secrets that the store is given."""
        return SuiteCipher()

    @pytest_asyncio.fixture
    async def context(self, clock: MovedClock, cipher: SuiteCipher) -> AsyncIterator[SuiteContext]:
        """The context that the store is opened with."""
        async with SuiteContext(clock, cipher=cipher) as context:
            yield context

    @pytest_asyncio.fixture
    async def store(
        self,
        offer: AnyOffer,
        settings: AnySettings,
        context: SuiteContext,
    ) -> AsyncIterator[Any]:
        """The store, opened as the gateway opens it and closed after the test."""
        holds(isinstance(settings, offer.settings), "the settings are of the model that the offer names")
        async with offer.open(settings, context) as store:
            yield store

    @pytest.fixture
    def advance(self, clock: MovedClock, settings: AnySettings) -> Advance:
        """Lets time pass: for the clock, and for a server that counts time by itself."""

        async def move(duration: timedelta) -> None:
            clock.advance(duration)
            await self.time_passes(settings, duration)

        return move

    async def time_passes(self, settings: AnySettings, duration: timedelta) -> None:
        """Tell a server that expires things by its own clock that ``duration`` has passed.

        The suites never sleep. A store that only looks at the injected clock leaves this as it is; one
        whose server counts time too (as Redis does) shortens the remaining lives there.
        """

    async def stored_bytes(self, store: AnyStore, settings: AnySettings) -> bytes:
        """Every byte that the backend holds now, as somebody who copies it would read them. Override this."""
        raise NotImplementedError("override 'stored_bytes': return every byte that your backend holds")
