"""What is watched does as it does unwatched, and whoever watches disturbs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from latchpin.activity.observers import ObservedStates, Observers
from latchpin.contracts import Operation, StoreDiagnostics
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.failure import Failure
from latchpin.outbound.http import open_session
from latchpin.outbound.messages import Outgoing
from latchpin_testing import MovedClock

pytestmark = pytest.mark.needs("latchpin_memory_store")


class Watching:
    def __init__(self) -> None:
        self.ended: list[Operation] = []

    def begin(self, operation: Operation) -> Callable[[], None]:
        return lambda: self.ended.append(operation)


async def test_a_watched_store_still_tells_about_itself():
    from latchpin_memory_store.states import MemoryStateStore

    bare = MemoryStateStore(MovedClock())
    watched = ObservedStates(bare, Observers({"a": Watching()}))
    assert isinstance(bare, StoreDiagnostics)
    assert isinstance(watched, StoreDiagnostics)
    assert (await watched.facts()).name == (await bare.facts()).name


async def test_a_url_that_cannot_be_read_is_a_failure_as_without_observers():
    watching = Watching()
    outgoing = Outgoing("GET", "https://[bad/", (), b"", None, ByteBudget(10))
    async with open_session(observers=Observers({"a": watching})) as session:
        with pytest.raises(Failure, match="cannot be read"):
            await session.send(outgoing)
    [operation] = watching.ended
    assert (operation.outcome, operation.facts["host"]) == ("url", "")


class Failing:
    """An observer that fails at one end."""

    def __init__(self, at: str) -> None:
        self.at = at

    def begin(self, operation: Operation) -> Callable[[], None]:
        if self.at == "beginning":
            raise RuntimeError("at the beginning")
        return self._end

    def _end(self) -> None:
        raise RuntimeError("at the end")


@pytest.mark.parametrize("at", ["beginning", "end"])
def test_an_observer_that_fails_disturbs_neither_the_work_nor_the_others(at, caplog):
    watching = Watching()
    with Observers({"a": watching, "acme": Failing(at)}).watch(Operation("store", "states.put")) as operation:
        operation.facts["seen"] = "yes"
    assert [each.facts for each in watching.ended] == [{"seen": "yes"}]
    assert f"at the {at}" in caplog.text
    [told] = caplog.messages
    assert re.match(rf"The observer acme failed at an? {at}; nothing else is disturbed\.", told)


def test_what_the_work_raises_is_its_outcome_unless_it_named_one_and_goes_on_up():
    watching = Watching()
    observers = Observers({"a": watching})
    for outcome in ("ok", "named"):
        with pytest.raises(KeyError), observers.watch(Operation("store", "tokens.get", outcome=outcome)):
            raise KeyError("gone")
    assert [each.outcome for each in watching.ended] == ["KeyError", "named"]


def test_the_first_to_watch_is_the_last_to_be_told_of_the_end():
    told: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def begin(self, operation: Operation) -> Callable[[], None]:
            told.append(f"{self.name} begins")
            return lambda: told.append(f"{self.name} ends")

    with Observers({"a": Named("one"), "b": Named("two")}).watch(Operation("store", "tokens.get")):
        told.append("work")
    assert told == ["one begins", "two begins", "work", "two ends", "one ends"]
