"""What is watched does as it does unwatched, and whoever watches disturbs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from latchpin.contracts import Operation, StoreWitness
from latchpin.observers import ObservedStates, Observers
from latchpin.outbound.decoding import Allowance
from latchpin.outbound.failure import Failure
from latchpin.outbound.http import open_session
from latchpin.outbound.messages import Outgoing
from latchpin.testing import MovedClock

pytestmark = pytest.mark.needs("latchpin_memory_store")


class Watching:
    def __init__(self) -> None:
        self.ended: list[Operation] = []

    def begin(self, operation: Operation) -> Callable[[], None]:
        return lambda: self.ended.append(operation)


async def test_a_watched_store_still_tells_about_itself():
    from latchpin_memory_store.states import MemoryStateStore

    bare = MemoryStateStore(MovedClock())
    watched = ObservedStates(bare, Observers([Watching()]))
    assert isinstance(bare, StoreWitness)
    assert isinstance(watched, StoreWitness)
    assert (await watched.facts()).name == (await bare.facts()).name


async def test_a_url_that_cannot_be_read_is_a_failure_as_without_observers():
    watching = Watching()
    outgoing = Outgoing("GET", "https://[bad/", (), b"", None, Allowance(10))
    async with open_session(observers=Observers([watching])) as session:
        with pytest.raises(Failure, match="cannot be read"):
            await session.send(outgoing)
    [operation] = watching.ended
    assert (operation.outcome, operation.facts["host"]) == ("url", "")
