"""The authorizations that wait for their callback: in which store, how long, and how many there may be."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from latchpin.authorization.admission import Admission
from latchpin.contracts import StateStore, StoreDiagnostics
from latchpin.errors import BackendUnavailable, StateStorageDisabled
from latchpin.services import Services

__all__ = ["KEPT_FOR", "PendingAuthorizations"]

KEPT_FOR = timedelta(seconds=60)
"""So long the store's name is believed without asking: one that was emptied meanwhile has another."""


class PendingAuthorizations:
    """What beginning an authorization and completing it share.

    Attributes:
        label: the store's name for people.
        lifetime: how long a state holds.
        lifetime_seconds: the same, in whole seconds.
        admission: counts the authorizations that were begun and not finished.
    """

    def __init__(self, services: Services) -> None:
        self._states = services.states
        self._clock = services.clock
        self.label = services.state_backend.label if services.state_backend is not None else "nothing"
        self.lifetime_seconds = services.settings.state_ttl_seconds
        self.lifetime = timedelta(seconds=self.lifetime_seconds)
        self._name = ""
        self._named_until: datetime | None = None
        self.admission = Admission(
            per_user=services.settings.max_pending_per_user,
            total=services.settings.max_pending,
            lifetime=self.lifetime,
            clock=services.clock,
        )

    def states(self) -> StateStore:
        """The store they are in.

        Raises:
            StateStorageDisabled: there is none.
        """
        if self._states is None:
            raise StateStorageDisabled
        return self._states

    async def store_name(self) -> str:
        """What the store calls its data, as it goes into each state; ``""`` if it has no name for them.

        Raises:
            StateStorageDisabled: there is none.
            BackendUnavailable: the store does not answer.
        """
        now, states = self._clock(), self.states()
        if self._named_until is None or now >= self._named_until:
            self._name = (await states.facts()).name if isinstance(states, StoreDiagnostics) else ""
            self._named_until = now + KEPT_FOR
        return self._name

    @property
    def known_name(self) -> str:
        """What the store called its data when it was asked last; ``""`` if it never was."""
        return self._name

    async def meet_store(self) -> None:
        """Learn at the start what the state store calls its data, so that a diagnosis can tell them from another's."""
        with suppress(BackendUnavailable, StateStorageDisabled):  # the first authorization learns it, or fails
            await self.store_name()
