"""What goes on while the gateway serves: one task that fails disturbs neither the others nor serving."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from latchpin.contracts import Every
from latchpin.errors import BackendUnavailable
from latchpin.serving import periodic
from latchpin.serving.background import running
from latchpin_testing import BackgroundTaskContract, RunningGateway, running_gateway

from tests.core.test_plugin_faults import NAMED, OPENS, install

__all__ = ["install", "running_gateway"]

NAME = "sweep (plugin 'acme' of acme-plugin 7.2)"


class Task:
    """Fails in each of the given ways in turn, then works until it is cancelled."""

    def __init__(self, *failures: Callable[[], object]) -> None:
        self.failures = list(failures)
        self.working, self.ended = asyncio.Event(), asyncio.Event()
        self.given: list[object] = []

    async def run(self, application: object) -> None:
        self.given.append(application)
        if self.failures:
            self.failures.pop(0)()
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended.set()


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BackendUnavailable("the queue sleeps"), "is run again in 30 s: the queue sleeps"),
        (KeyError("vault"), "KeyError: 'vault'"),
        (SystemExit(0), "SystemExit: 0"),
        (asyncio.CancelledError("its own"), "CancelledError: its own"),
    ],
)
async def test_one_that_fails_is_named_and_run_again(caplog: pytest.LogCaptureFixture, error: BaseException, told: str):
    failing, sound = Task(raising(error), raising(error)), Task()
    async with running({NAME: failing, "other": sound}, "the application", pause=at_once):
        await asyncio.wait_for(failing.working.wait(), timeout=60)
        assert sound.working.is_set()
    assert failing.given == ["the application"] * 3
    assert len(sound.given) == 1
    assert caplog.text.count(f"The background task {NAME} failed, and is run again in 30 s") == 2
    assert caplog.text.count(told) == 2


async def test_all_have_ended_when_the_body_has():
    tasks = {"a": Task(), "b": Task()}
    async with running(tasks, None):
        await asyncio.gather(*(each.working.wait() for each in tasks.values()))
    assert all(each.ended.is_set() for each in tasks.values())


async def test_one_that_has_nothing_left_to_do_is_not_run_again():
    done = asyncio.Event()

    class Once:
        async def run(self, application: object) -> None:
            assert not done.is_set()
            done.set()

    async with running({"once": Once()}, None, pause=at_once):
        await done.wait()
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_that_will_not_end_is_left_behind(caplog: pytest.LogCaptureFixture):
    begun, let_go = asyncio.Event(), asyncio.Event()

    class Stubborn:
        async def run(self, application: object) -> None:
            while not let_go.is_set():
                try:
                    begun.set()
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue

    async with running({"stubborn": Stubborn()}, None, end_seconds=0.01):
        await begun.wait()
    assert caplog.messages == ["The background task stubborn did not end within 0.01 s"]
    let_go.set()


async def test_workers_that_start_together_take_turns_apart(monkeypatch: pytest.MonkeyPatch):
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    async def turn(application: object) -> None:
        if len(paused) == 50:
            raise LookupError

    monkeypatch.setattr("asyncio.sleep", pause)
    with pytest.raises(LookupError):
        await Every(10.0, turn).run(None)
    assert 5 <= min(paused) < max(paused) <= 15
    assert len({round(seconds) for seconds in paused}) > 4


async def test_turns_are_taken_again_and_again():
    taken: list[str] = []

    async def turn(application: str) -> None:
        taken.append(application)
        if len(taken) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        await Every(0.0, turn).run("the application")
    assert taken == ["the application"] * 3


FAILING = """
class Failing:
    async def run(self, application):
        raise KeyError(application.services.instance_id)
"""


@pytest.mark.needs("latchpin_memory_store")
async def test_serving_goes_on_beside_a_plugin_whose_task_fails(install: Any, running_gateway: Any, caplog):
    source = OPENS.format(hook="latchpin_background_tasks", body="yield Failing()", open="open_it")
    with caplog.at_level(logging.ERROR, "latchpin.background"):
        gateway: RunningGateway = await running_gateway(plugins=install(source + FAILING))
        async with gateway.client() as client:
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/ready")).status_code == 200
    assert f"The background task acme-way ({NAMED}) failed" in caplog.text
    assert gateway.services.instance_id in caplog.text


class TestPurge(BackgroundTaskContract):
    @pytest.fixture
    def offer(self):
        return periodic.latchpin_background_tasks()[0]


class Wrong:
    def __init__(self, run: Any) -> None:
        self.run = run


async def failing(application: object) -> None:
    raise KeyError("vault")


async def deaf(application: object) -> None:
    for _ in range(2):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


@pytest.mark.parametrize(
    ("run", "found"),
    [(print, "is a coroutine function"), (failing, "raises nothing"), (deaf, "that is cancelled ends")],
)
async def test_a_wrong_task_is_found(run: Any, found: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BackgroundTaskContract, "briefly", 0.01)
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        await BackgroundTaskContract().test_it_ends_when_it_is_cancelled(Wrong(run), None)
