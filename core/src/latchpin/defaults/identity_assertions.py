"""The built-in ways to an identity provider's word for who a caller is: what came with the call, and what was kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from latchpin.contracts import AssertionSource, Backend, Clock, Context
from latchpin.model import Caller, IdentityAssertion, IdentityProvider
from latchpin.plugins.hookspecs import hookimpl
from latchpin.settings import Settings
from latchpin.tokens.assertion_store import AssertionStore

__all__ = ["BearerSource", "ShelfSource"]


class NoSettings(Settings):
    """They read no variables."""


class BearerSource:
    """The caller's own bearer token, where that provider issued it. It is used while it is there, and never kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def find(self, caller: Caller, provider: IdentityProvider) -> IdentityAssertion | None:
        """Give the token that proved the caller."""
        found = caller.assertion
        fits = found is not None and found.issuer == provider.issuer and self._clock() < found.expires_at
        return found if fits else None


class ShelfSource:
    """What the caller handed in before."""

    def __init__(self, shelf: AssertionStore, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    async def find(self, caller: Caller, provider: IdentityProvider) -> IdentityAssertion | None:
        """Give what is kept for the caller."""
        return await self._shelf.get(caller.email, provider, now=self._clock())


@asynccontextmanager
async def _open_bearer(settings: NoSettings, context: Context) -> AsyncIterator[AssertionSource]:  # noqa: ARG001
    yield BearerSource(context.clock)


@asynccontextmanager
async def _open_shelf(settings: NoSettings, context: Context) -> AsyncIterator[AssertionSource]:  # noqa: ARG001
    yield ShelfSource(AssertionStore(context.kept, context.cipher), context.clock)


@hookimpl
def latchpin_identity_assertions() -> Sequence[Backend[Any, AssertionSource]]:
    """Offer both; what came with the call is the newest."""
    return [
        Backend("bearer", "the caller's bearer token", NoSettings, _open_bearer, rank=10),
        Backend("shelf", "the ID token that was handed in", NoSettings, _open_shelf, rank=20),
    ]
