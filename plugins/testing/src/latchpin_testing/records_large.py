"""What must not grow with the number of tokens: looking for those that are due, and counting them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.contracts import RecordStore

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.rules import holds, same

__all__ = ["CheapCountContract", "LargeRules"]

TOKENS = 2_000
TOGETHER = 500
DUE = 20
CHEAPER = 5
"""How many times less work than reading all it must be. Reading what is asked for is far less."""
TRIES = 3


async def _work(call: Callable[[], Awaitable[object]]) -> float:
    """The least processor time that this process needs for the call, in seconds: a busy machine adds nothing to it."""
    took = []
    for _ in range(TRIES):
        began = time.process_time()
        await call()
        took.append(time.process_time() - began)
    return min(took)


class _Large(OpenedBackend):
    async def _fill(self, store: RecordStore, clock: MovedClock) -> float:
        """Put all tokens; give the work of reading them."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        one = samples.stored_token(clock(), gateway_id=gateway.id)
        many = [
            replace(
                one,
                id=samples.new_id(),
                app_user_email=f"user{number}@example.com",
                renew_at=clock() + timedelta(hours=-1 if number % (TOKENS // DUE) == 0 else 1),
            )
            for number in range(TOKENS)
        ]
        for begin in range(0, TOKENS, TOGETHER):
            batch = many[begin : begin + TOGETHER]
            await asyncio.gather(*(store.tokens.put(token, replacing=None) for token in batch))
        return await _work(store.tokens.list)

    async def _judge(self, name: str, call: Callable[[], Awaitable[object]], everything: float) -> None:
        __tracebackhide__ = True
        took = await _work(call)
        seen = f"{took * 1000:.1f} ms of the processor, and {everything * 1000:.1f} ms for all {TOKENS} tokens"
        holds(took * CHEAPER < everything, f"{name} does not read all tokens", seen)


@pytest.mark.asyncio
class LargeRules(_Large):
    """For stores that several processes share: a store in one process's memory has all tokens at hand."""

    async def test_of_many_tokens_those_due_are_read(self, store: RecordStore, clock: MovedClock) -> None:
        """``list_due`` is asked every few seconds: it reads what is due, and not everything."""
        everything = await self._fill(store, clock)
        now, tokens = clock(), store.tokens
        await self._judge("list_due", lambda: tokens.list_due(now, limit=DUE // 2), everything)
        same(len(await tokens.list_due(now, limit=TOKENS)), DUE, "of many tokens those that are due are found")


@pytest.mark.asyncio
class CheapCountContract(_Large):
    """For a record store that can count without reading, which is optional: of many tokens it reads none."""

    async def test_many_tokens_are_counted_and_not_read(self, store: RecordStore, clock: MovedClock) -> None:
        """``count`` is asked for as long as somebody reads metrics."""
        everything = await self._fill(store, clock)
        now, tokens = clock(), store.tokens
        await self._judge("count", lambda: tokens.count(now), everything)
        same(sum((await tokens.count(now)).values()), TOKENS, "of many tokens each is counted")
