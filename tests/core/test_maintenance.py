"""Expired states are removed in time, and a store that is away does not end the removing."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from latchpin import maintenance
from latchpin.errors import BackendUnavailable


class Store:
    def __init__(self, failures: int = 0) -> None:
        self.calls, self.failures = 0, failures
        self.often = asyncio.Event()

    async def purge(self) -> int:
        self.calls += 1
        if self.calls >= 4:
            self.often.set()
        if self.calls <= self.failures:
            raise BackendUnavailable("away")
        return 3


def test_it_happens_within_the_promised_minute():
    assert maintenance.INTERVAL_SECONDS <= 60


async def test_states_and_records_are_purged_and_a_failing_store_is_a_warning(caplog):
    states, records = Store(failures=1), Store()
    services = SimpleNamespace(states=states, records=records)
    with caplog.at_level(logging.WARNING, "latchpin.maintenance"):
        await maintenance.purge(services)
    assert "away" in caplog.text
    await maintenance.purge(services)
    assert (states.calls, records.calls) == (2, 1)


async def test_it_runs_in_the_background_until_the_gateway_stops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(maintenance, "INTERVAL_SECONDS", 0)
    states = Store(failures=2)
    async with maintenance.maintained(SimpleNamespace(states=states, records=Store())):
        await asyncio.wait_for(states.often.wait(), timeout=10)
    assert asyncio.all_tasks() == {asyncio.current_task()}
