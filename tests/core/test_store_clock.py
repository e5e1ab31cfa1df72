"""Workers whose machines do not agree what time it is go by the store's clock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from latchpin.assembly.assembling import assemble
from latchpin.assembly.clock import TOLERATED, StoreClock, utc_now
from latchpin.errors import BackendUnavailable
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

from tests.support.gateway_process import create_schema

LIFE = timedelta(minutes=5)
NOBODY_WAITS = timedelta()


@asynccontextmanager
async def worker(hours: int):
    """One whose machine's clock is wrong by so many hours."""
    clock = StoreClock(lambda: utc_now() + timedelta(hours=hours))
    async with assemble(Plugins(), load(CoreSettings), clock=clock) as services:
        yield services


@pytest.mark.backends("postgres", "redis")
@pytest.mark.parametrize("hours", [1, -1])
async def test_a_lease_is_held_by_one_of_two_whose_clocks_differ_by_an_hour(backend, environment, hours, caplog):
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    create_schema(backend.environment)
    async with worker(0) as right, worker(hours) as wrong:
        assert abs(wrong.clock() - right.clock()) < 2 * TOLERATED
        for holder, other in ((right, wrong), (wrong, right)):
            async with holder.leases.hold("refresh", ("g", "ada"), life=LIFE):
                with pytest.raises(TimeoutError):
                    async with other.leases.hold("refresh", ("g", "ada"), life=LIFE, wait=NOBODY_WAITS):
                        pass
            async with other.leases.hold("refresh", ("g", "ada"), life=LIFE, wait=NOBODY_WAITS):
                pass  # it was given back
    told = [record.getMessage() for record in caplog.records if record.name == "latchpin.clock"]
    assert len(told) == 1
    assert ("ahead of" if hours > 0 else "behind") in told[0]


class Store:
    """Tells what the test says."""

    async def facts(self):
        if isinstance(self.now, Exception):
            raise self.now
        return SimpleNamespace(now=self.now)


async def test_what_a_store_tells_is_followed_as_far_as_it_is_exact(caplog):
    own, store = [utc_now()], Store()
    clock = StoreClock(lambda: own[0])
    for told, ahead in (
        (timedelta(seconds=0.9), 0),
        (timedelta(hours=1), 3600),
        (timedelta(hours=1, seconds=0.5), 3600),
        (timedelta(), 0),
    ):
        store.now = own[0] + told
        await clock.follow(store)
        assert clock() - own[0] == timedelta(seconds=ahead)
    for nothing in (None, BackendUnavailable("away")):
        store.now = nothing
        await clock.follow(store)
    await clock.follow(None)
    assert clock() == own[0]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["This machine's clock is 3600.0 s behind the store's, which counts: set it by NTP"]
