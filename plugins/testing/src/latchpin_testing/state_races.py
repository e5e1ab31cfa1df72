"""The rules of a state store for many callers at once, through whatever batching the store really does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from latchpin.contracts import StateStore
from latchpin.errors import StateAlreadyUsed, StateConflict, StateNotFound
from latchpin.model import PendingAuthorization

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.rules import found, gives, holds, outcomes, same

__all__ = ["StateRaces"]

CALLERS = 50
MANY = 600


@pytest.mark.asyncio
class StateRaces(OpenedBackend):
    """Races, mixed batches and cancelled callers, all in one process."""

    async def test_of_fifty_callers_one_wins(self, store: StateStore, clock: MovedClock) -> None:
        """Fifty consume one state at once: one gets it, the others are told that it was used, and when."""
        pending = samples.pending_authorization(clock())
        await store.put(pending)
        results = await outcomes(store.consume(pending.key) for _ in range(CALLERS))
        self._one_winner(results, pending)

    async def test_races_side_by_side(self, store: StateStore, clock: MovedClock) -> None:
        """Twenty races run at once, their callers interleaved: each has its own one winner."""
        kept = [samples.pending_authorization(clock()) for _ in range(20)]
        await outcomes(store.put(pending) for pending in kept)
        results = await outcomes(store.consume(pending.key) for _ in range(8) for pending in kept)
        for index, pending in enumerate(kept):
            self._one_winner(results[index :: len(kept)], pending)

    def _one_winner(self, results: Sequence[PendingAuthorization | BaseException | None], pending: object) -> None:
        __tracebackhide__ = True
        winners = [result for result in results if not isinstance(result, BaseException)]
        seen = f"{len(winners)} winners of {len(results)}"
        holds(len(winners) == 1, "of any number of callers exactly one wins", seen)
        same(winners[0], pending, "the winner gets exactly what was put")
        strange = [result for result in results if not isinstance(result, StateAlreadyUsed | PendingAuthorization)]
        holds(not strange, "every loser is told StateAlreadyUsed", found(strange[:1]))

    async def test_more_than_any_batch(self, store: StateStore, clock: MovedClock) -> None:
        """Six hundred puts at once, then as many consumes: each caller gets its own."""
        kept = [samples.pending_authorization(clock()) for _ in range(MANY)]
        put = await outcomes(store.put(pending) for pending in kept)
        holds(not any(put), f"{MANY} puts at once all succeed", found(next(filter(None, put), None)))
        taken = await outcomes(store.consume(pending.key) for pending in reversed(kept))
        for got, pending in zip(taken, reversed(kept), strict=True):
            same(got, pending, f"of {MANY} consumes at once each caller gets its own")

    async def test_a_duplicate_beside_good_puts(self, store: StateStore, clock: MovedClock) -> None:
        """A put that conflicts fails alone: those beside it in the batch are kept."""
        old = samples.pending_authorization(clock())
        await store.put(old)
        good = [samples.pending_authorization(clock()) for _ in range(4)]
        again = replace(samples.pending_authorization(clock()), key=old.key)
        results = await outcomes(store.put(pending) for pending in [*good[:2], again, *good[2:]])
        holds(isinstance(results[2], StateConflict), "a state that exists cannot be put again", found(results[2]))
        holds(not any(results[:2] + results[3:]), "a conflict fails alone", found(results))
        for pending in [*good, old]:
            await gives(store.consume(pending.key), pending, "a conflict fails alone: what was put beside it is kept")

    async def test_one_state_put_twice_at_once(self, store: StateStore, clock: MovedClock) -> None:
        """Two puts of one new state at once: one is kept, the other is told of the conflict."""
        first = samples.pending_authorization(clock())
        second = replace(samples.pending_authorization(clock()), key=first.key)
        results = await outcomes([store.put(first), store.put(second)])
        kept = [pending for pending, result in zip([first, second], results, strict=True) if result is None]
        refusals = [result for result in results if isinstance(result, StateConflict)]
        holds(len(kept) == len(refusals) == 1, "of two puts of one state one is kept", found(results))
        await gives(store.consume(first.key), kept[0], "the put that succeeded is the one that is kept")

    async def test_a_mixed_batch(self, store: StateStore, clock: MovedClock) -> None:
        """Good, used, unknown and doubled consumes and a put, all at once: each gets its own true answer."""
        good, used, doubled, unknown, new = (samples.pending_authorization(clock()) for _ in range(5))
        for pending in (good, used, doubled):
            await store.put(pending)
        await store.consume(used.key)
        asked = [doubled, unknown, good, doubled, used]
        *taken, put = await outcomes([*(store.consume(pending.key) for pending in asked), store.put(new)])
        holds(put is None, "a put beside consumes succeeds", found(put))
        same(taken[2], good, "a good state beside bad ones is found")
        holds(isinstance(taken[1], StateNotFound), "an unknown state is StateNotFound in any company", found(taken[1]))
        holds(isinstance(taken[4], StateAlreadyUsed), "a used state says so in any company", found(taken[4]))
        self._one_winner([taken[0], taken[3]], doubled)
        await gives(store.consume(new.key), new, "a put beside consumes is kept")

    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
    async def test_a_cancelled_consume_is_never_half_done(
        self, store: StateStore, clock: MovedClock, steps: int
    ) -> None:
        """A caller goes away at any point: the state is then used or not, and nobody else is disturbed."""
        mine, other, later = (samples.pending_authorization(clock()) for _ in range(3))
        for pending in (mine, other, later):
            await store.put(pending)
        leaving = asyncio.create_task(store.consume(mine.key))
        staying = asyncio.create_task(store.consume(other.key))
        await self._cancel(leaving, steps)
        same(await staying, other, "a cancelled caller does not disturb the others")
        (result,) = await outcomes([store.consume(mine.key)])
        holds(
            result == mine or isinstance(result, StateAlreadyUsed),
            "after a cancelled consume the state is used or it is not",
            found(result),
        )
        await gives(store.consume(later.key), later, "after a cancelled consume the store works on")

    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
    async def test_a_cancelled_put_is_never_half_done(self, store: StateStore, clock: MovedClock, steps: int) -> None:
        """A caller goes away while putting: the state is then kept whole or unknown."""
        mine, other = (samples.pending_authorization(clock()) for _ in range(2))
        leaving = asyncio.create_task(store.put(mine))
        staying = asyncio.create_task(store.put(other))
        await self._cancel(leaving, steps)
        await staying
        await gives(store.consume(other.key), other, "a cancelled caller does not disturb the others")
        (result,) = await outcomes([store.consume(mine.key)])
        holds(
            result == mine or isinstance(result, StateNotFound),
            "after a cancelled put the state is kept whole or not at all",
            found(result),
        )

    async def _cancel(self, task: asyncio.Task[object], steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
