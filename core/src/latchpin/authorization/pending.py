"""The authorizations that wait for their callback: in which store, how long, and how many there may be."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from latchpin.authorization.admission import Admission
from latchpin.authorization.store_name import StoreName
from latchpin.contracts import StateStore
from latchpin.errors import BackendUnavailable, StateStorageDisabled
from latchpin.services import Services

__all__ = ["PendingAuthorizations"]


class PendingAuthorizations:
    """What beginning an authorization and completing it share.

    Attributes:
        label: the store's name for people.
        lifetime: how long a state holds.
        admission: counts the authorizations that were begun and not finished.
        store_name: what the store calls its data.
    """

    def __init__(self, services: Services) -> None:
        self._states = services.states
        self.label = services.state_backend.label if services.state_backend is not None else "nothing"
        self.lifetime = timedelta(seconds=services.settings.state_ttl_seconds)
        self.store_name = StoreName(services.clock)
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

    async def meet_store(self) -> None:
        """Learn at the start what the state store calls its data, so that a diagnosis can tell them from another's."""
        if self._states is not None:
            with suppress(BackendUnavailable):  # then the first authorization learns it, or fails
                await self.store_name.of(self._states)
