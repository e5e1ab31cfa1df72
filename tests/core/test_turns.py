"""Turns: what goes on after a wait goes on in its turn, and between two rounds the event loop hears others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from latchpin.serving.served import Served
from latchpin.workers.batching import Batcher
from latchpin.workers.shared_tasks import SharedTasks
from latchpin.workers.store_deadline import store_deadline
from latchpin.workers.turns import LEAST, LONG, MOST, SHORT, Rounds, turn

MANY = 10 * MOST


async def most_in_a_round(waits: Callable[[], Awaitable[object]]) -> int:
    """Of ``MANY`` that wait, the most that went on between two looks of somebody who looks in each round."""
    loop, went_on, most, counted = asyncio.get_running_loop(), 0, 0, 0

    async def one() -> None:
        nonlocal went_on
        try:
            await waits()
        finally:
            went_on += 1

    def look() -> None:
        nonlocal most, counted
        most, counted = max(most, went_on - counted), went_on
        if went_on < MANY:
            loop.call_soon(look)

    loop.call_soon(look)
    results = await asyncio.gather(*(one() for _ in range(MANY)), return_exceptions=True)
    assert len(results) == MANY
    return most


async def _send(items: Sequence[int]) -> Sequence[int]:
    await asyncio.sleep(0)
    return items


async def _fail(items: Sequence[int]) -> Sequence[int]:
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def _wait_for_ever() -> None:
    async with store_deadline(0.01):
        await asyncio.Event().wait()


async def test_few_go_on_in_each_round():
    assert await most_in_a_round(turn) <= MOST


@pytest.mark.parametrize("send", [_send, _fail])
async def test_those_whom_one_batch_answers_go_on_in_turns(send):
    batcher: Batcher[int, int] = Batcher(send)
    assert await most_in_a_round(lambda: batcher.submit(1)) <= MOST


async def test_those_who_wait_for_one_task_go_on_in_turns():
    tasks: SharedTasks[str, Sequence[int]] = SharedTasks()
    assert await most_in_a_round(lambda: tasks.run("one", lambda: _send([1]))) <= MOST


async def test_those_who_are_told_that_a_store_is_away_go_on_in_turns():
    assert await most_in_a_round(_wait_for_ever) <= MOST


async def test_more_go_on_at_once_where_rounds_are_short_and_fewer_where_they_are_long():
    rounds = Rounds(asyncio.get_running_loop())
    counts = []
    for seconds in (*[SHORT / 2] * 4, (SHORT + LONG) / 2, *[LONG * 2] * 4):
        while rounds.free():
            pass
        rounds.end(seconds)
        counts.append(rounds.at_once)
    assert counts == [16, 32, 64, 64, 64, 32, 16, 8, 8]


async def test_a_round_with_room_left_is_enough():
    rounds = Rounds(asyncio.get_running_loop())
    rounds.free()
    rounds.end(0)
    assert rounds.at_once == LEAST


async def test_a_round_that_is_not_full_wakes_nobody():
    woken: list[object] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon(self, callback, *args, context=None):
            woken.append(callback)
            return super().call_soon(callback, *args, context=context)

    loop = Loop()
    rounds = Rounds(loop)
    for _ in range(LEAST - 1):
        assert rounds.free()
    assert woken == []
    assert rounds.free()
    assert len(woken) == 1
    loop.close()


async def test_what_was_begun_goes_on_before_what_begins():
    order: list[str] = []

    async def go(name: str, *, new: bool) -> None:
        await turn(new=new)
        order.append(name)

    await asyncio.gather(
        *(go("first", new=True) for _ in range(LEAST)),
        *(go("new", new=True) for _ in range(LEAST)),
        *(go("begun", new=False) for _ in range(LEAST)),
    )
    assert order == ["first"] * LEAST + ["begun"] * LEAST + ["new"] * LEAST


async def test_who_leaves_while_waiting_takes_no_turn_from_anybody():
    tasks = [asyncio.create_task(turn()) for _ in range(MANY)]
    asyncio.get_running_loop().call_soon(lambda: [each.cancel() for each in tasks[LEAST:-1]])
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [type(None)] * LEAST + [asyncio.CancelledError] * (MANY - LEAST - 1) + [
        type(None)
    ]


async def test_who_asks_for_the_health_is_served_before_those_who_came_earlier():
    served: list[str] = []

    async def app(scope, receive, send) -> None:
        served.append(scope["path"])

    application = Served(app)
    paths = ["/gateways"] * MANY + ["/health", "/prefix/ready"]
    await asyncio.gather(*(application({"type": "http", "path": path}, None, None) for path in paths))
    assert sorted(served) == sorted(paths)
    assert max(served.index("/health"), served.index("/prefix/ready")) <= MOST + 1


async def test_what_nobody_waits_for_is_still_waited_for_at_the_end():
    done = []

    async def work():
        await turn()
        done.append(True)
        raise OSError

    shared = SharedTasks()
    shared.begin("key", work)
    assert shared.begin("key", work) in asyncio.all_tasks()
    await shared.close()
    assert done == [True]
