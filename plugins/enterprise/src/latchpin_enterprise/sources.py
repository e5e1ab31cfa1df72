"""The ways to an identity provider's word for who a caller is: what came with the call, and what was kept."""

from __future__ import annotations

from latchpin.contracts import Clock
from latchpin.model import Caller, IdentityAssertion, IdentityProvider
from latchpin.sdk.identity import AssertionStore

__all__ = ["BearerSource", "StoredSource"]


class BearerSource:
    """The caller's own bearer token, where that provider issued it. It is used while it is there, and never kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def find(self, caller: Caller, provider: IdentityProvider) -> IdentityAssertion | None:
        """Give the token that proved the caller."""
        found = caller.assertion
        fits = found is not None and found.issuer == provider.issuer and self._clock() < found.expires_at
        return found if fits else None


class StoredSource:
    """What the caller handed in before."""

    def __init__(self, store: AssertionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, caller: Caller, provider: IdentityProvider) -> IdentityAssertion | None:
        """Give what is kept for the caller."""
        return await self._store.get(caller.email, provider, now=self._clock())
