"""Expired states are removed in time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.serving import maintenance


class Store:
    def __init__(self, failures: int = 0) -> None:
        self.calls, self.failures = 0, failures

    async def purge(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise BackendUnavailable("away")
        return 3


def services_with(states: Store, records: Store) -> SimpleNamespace:
    return SimpleNamespace(states=states, records=records)


def test_it_happens_within_the_promised_minute():
    assert 1.5 * maintenance.INTERVAL_SECONDS <= 60


async def test_states_and_records_are_purged_also_after_a_store_was_away():
    states, records = Store(failures=1), Store()
    services = services_with(states, records)
    with pytest.raises(BackendUnavailable):
        await maintenance.purge(services)
    await maintenance.purge(services)
    assert (states.calls, records.calls) == (2, 1)
