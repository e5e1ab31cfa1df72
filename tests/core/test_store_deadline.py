"""Deadlines for stores: what does not come is given up, and a busy process is not taken for a store that is away."""

from __future__ import annotations

import asyncio
import time

import pytest
from latchpin.workers.store_deadline import SLICES, store_deadline


async def test_what_does_not_come_is_given_up():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with store_deadline(0.2):
            await asyncio.Event().wait()
    assert time.monotonic() - began >= 0.2 * (SLICES - 1) / SLICES


async def test_an_answer_that_the_busy_loop_has_not_looked_at_is_waited_for():
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def keep_the_loop_busy() -> None:
        busy_until = time.monotonic() + 0.4
        while time.monotonic() < busy_until:
            pass
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, answer.set_result, 7)

    async with store_deadline(0.2):
        asyncio.get_running_loop().call_soon(keep_the_loop_busy)
        assert await answer == 7


async def test_it_leaves_nothing_behind_and_other_failures_alone():
    with pytest.raises(ZeroDivisionError):
        async with store_deadline(0.001):
            raise ZeroDivisionError
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, gate.set)
    await gate.wait()  # its end would have come meanwhile
