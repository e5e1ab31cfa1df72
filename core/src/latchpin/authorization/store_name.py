"""The name of the data that the state store works on, as it goes into each state."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.contracts import Clock, StateStore, StoreDiagnostics

__all__ = ["KEPT_FOR", "StoreName"]

KEPT_FOR = timedelta(seconds=60)
"""So long a name is believed without asking: a store that was emptied meanwhile has another one."""


class StoreName:
    """Asks the store, at most once a minute. A store that cannot be asked has no name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._name = ""
        self._until: datetime | None = None

    @property
    def known(self) -> str:
        """What it was when it was asked last; ``""`` if it never was."""
        return self._name

    async def of(self, states: StateStore) -> str:
        """The name of the data in ``states``.

        Raises:
            BackendUnavailable: the store does not answer.
        """
        now = self._clock()
        if self._until is None or now >= self._until:
            self._name = (await states.facts()).name if isinstance(states, StoreDiagnostics) else ""
            self._until = now + KEPT_FOR
        return self._name
