"""What a store shared by several processes must also keep: the suites for backends that say ``shared=True``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from latchpin.contracts import RecordStore, StateStore
from latchpin.errors import LatchpinError, RecordConflict, StateAlreadyUsed, StateConflict
from latchpin.model import Document, PendingAuthorization, StateKey, StoredToken

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import AnyOffer, AnySettings
from latchpin_testing.processes import PROCESSES, Meet, ProcessTeam, WithProcesses
from latchpin_testing.record_store import RecordStoreContract
from latchpin_testing.records_collections import SUITE_COLLECTION
from latchpin_testing.records_large import LargeRules
from latchpin_testing.records_tokens import next_revision
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same
from latchpin_testing.state_store import StateStoreContract

__all__ = ["SharedRecordStoreContract", "SharedStateStoreContract"]

RACES = 100
WAVE = 20
SWAPS = 25
BATCH = 40
NOTES = 10

ORDERS: tuple[Callable[[list[StateKey]], list[StateKey]], ...] = (
    lambda batch: batch,
    lambda batch: batch[::-1],
    lambda batch: batch[BATCH // 2 :] + batch[: BATCH // 2],
    lambda batch: batch[::2] + batch[1::2][::-1],
)
"""What each process makes of a batch, of which all have the same states at the same time."""

Answer = PendingAuthorization | str
"""What one process got for one state: the authorization, or the name of the error."""


@pytest.mark.asyncio
class SharedStateStoreContract(StateStoreContract, WithProcesses):
    """``StateStoreContract``, and the same rules among four processes."""

    async def test_four_processes_race_for_each_state(
        self, store: StateStore, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """A hundred races, started together: one process wins each, three are told that it was used."""
        kept = await self._put_many(store, clock, RACES)
        keys = [pending.key for pending in kept]
        answers = await team.run(race_each, [keys] * PROCESSES, offer=offer, settings=settings, now=clock())
        self._one_winner_each(kept, answers)
        for pending in kept:
            await refused(store.consume(pending.key), StateAlreadyUsed, "what another process consumed is used here")

    async def test_four_processes_consume_overlapping_batches(
        self, store: StateStore, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """Batches with the same states in different orders: one winner each, no deadlock, no secret lost."""
        kept = await self._put_many(store, clock, RACES * 2)
        keys = [pending.key for pending in kept]
        batches = [keys[begin : begin + BATCH] for begin in range(0, len(keys), BATCH)]
        orders = [[key for batch in batches for key in order(batch)] for order in ORDERS]
        results = await team.run(consume_in_batches, orders, offer=offer, settings=settings, now=clock())
        by_key = [dict(zip(order, got, strict=True)) for order, got in zip(orders, results, strict=True)]
        answers = [[answer[key] for key in keys] for answer in by_key]
        self._one_winner_each(kept, answers)

    async def test_four_processes_put_the_same_states(
        self, store: StateStore, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """One put of each state succeeds, and that one is what is kept."""
        kept = [samples.pending_authorization(clock()) for _ in range(BATCH)]
        works = [[replace(pending, client_id=f"process-{n}") for pending in kept] for n in range(PROCESSES)]
        works = [work[::-1] if n % 2 else work for n, work in enumerate(works)]
        results = await team.run(put_all, works, offer=offer, settings=settings, now=clock())
        winners: dict[StateKey, list[PendingAuthorization]] = {pending.key: [] for pending in kept}
        for work, answers in zip(works, results, strict=True):
            strange = set(answers) - {"kept", "StateConflict"}
            holds(not strange, "of several puts of one state the others are told StateConflict", found(strange))
            for pending, answer in zip(work, answers, strict=True):
                winners[pending.key] += [pending] * (answer == "kept")
        for key, won in winners.items():
            holds(len(won) == 1, "of several puts of one state exactly one succeeds", f"{len(won)} succeeded")
            await gives(store.consume(key), won[0], "the put that succeeded is the one that is kept")

    async def _put_many(self, store: StateStore, clock: MovedClock, count: int) -> list[PendingAuthorization]:
        kept = [samples.pending_authorization(clock()) for _ in range(count)]
        results = await outcomes(store.put(pending) for pending in kept)
        holds(not any(results), "put succeeds", found(next(filter(None, results), None)))
        return kept

    def _one_winner_each(self, kept: Sequence[PendingAuthorization], answers: Sequence[Sequence[Answer]]) -> None:
        __tracebackhide__ = True
        for index, pending in enumerate(kept):
            got = [process[index] for process in answers]
            winners = [answer for answer in got if not isinstance(answer, str)]
            seen = f"{len(winners)} winners for state {index}: {', '.join(map(_short, got))}"
            holds(len(winners) == 1, f"of {PROCESSES} processes exactly one consumes a state", seen)
            same(winners[0], pending, "the winner gets exactly what was put")
            holds(got.count("StateAlreadyUsed") == PROCESSES - 1, "every loser is told StateAlreadyUsed", seen)


@pytest.mark.asyncio
class SharedRecordStoreContract(RecordStoreContract, LargeRules, WithProcesses):
    """``RecordStoreContract``, the same rules among four processes, and what must not grow with many tokens."""

    async def test_four_processes_swap_one_token(
        self, store: RecordStore, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """Each writes twenty-five times over what it read: no write is lost."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        token = samples.stored_token(clock(), gateway_id=gateway.id)
        await store.tokens.put(token, replacing=None)
        await team.run(swap_often, [token] * PROCESSES, offer=offer, settings=settings, now=clock())
        stored = await store.tokens.get(token.gateway_id, token.app_user_email)
        expected = replace(token, revision=1 + SWAPS * PROCESSES)
        same(stored, expected, f"{PROCESSES} processes with {SWAPS} successful swaps each leave that many revisions")

    async def test_four_processes_swap_and_take_documents(
        self, store: RecordStore, team: ProcessTeam, offer: AnyOffer, settings: AnySettings, clock: MovedClock
    ) -> None:
        """All write over one document, and race for each of forty: no write is lost, each has one taker."""
        things = store.collection(SUITE_COLLECTION)
        ids = [f"thing-{number}" for number in range(BATCH)]
        for id_ in ids:
            await things.put(Document(id_, {}, {"owner": "suite"}))
        results = await team.run(swap_and_take, [ids] * PROCESSES, offer=offer, settings=settings, now=clock())
        written = await things.get("counter")
        holds(written is not None, "a document that processes write is there")
        same(written and written.body, {"writes": SWAPS * PROCESSES}, f"{PROCESSES} processes lose no write")
        takers = Counter(id_ for taken in results for id_ in taken)
        same(takers, dict.fromkeys(ids, 1), "of several processes one takes a document")
        await gives(things.count("owner"), 0, "what processes took is in no index")


# -- what the other processes do; at the top of the module, so that they can import it ----------------


async def race_each(store: StateStore, keys: Sequence[StateKey], meet: Meet) -> list[Answer]:
    """Consume the states at the same moment as everybody else: half of them one by one, then the others in waves.

    Meeting takes longer than some stores' steps, so who goes alone may be through before the next one comes. In a wave
    all go through the same states in the same order, and whoever is behind catches up with somebody at one of them.
    """
    answers: list[Answer] = []
    alone, together = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    for key in alone:
        meet()
        answers.append(await _consume(store, key))
    for begin in range(0, len(together), WAVE):
        meet()
        answers += await asyncio.gather(*(_consume(store, key) for key in together[begin : begin + WAVE]))
    return answers


async def consume_in_batches(store: StateStore, keys: Sequence[StateKey], meet: Meet) -> list[Answer]:
    """Consume the states in this order, many at once."""
    answers: list[Answer] = []
    for begin in range(0, len(keys), BATCH):
        meet()
        answers += await asyncio.gather(*(_consume(store, key) for key in keys[begin : begin + BATCH]))
    return answers


async def put_all(store: StateStore, kept: Sequence[PendingAuthorization], meet: Meet) -> list[str]:
    """Put all at once; say for each whether it was kept."""
    meet()
    return await asyncio.gather(*(_put(store, pending) for pending in kept))


async def swap_often(store: RecordStore, token: StoredToken, meet: Meet) -> None:
    """Write the next revision over what is stored, until ``SWAPS`` writes succeeded."""
    meet()
    done = 0
    while done < SWAPS:
        stored = await store.tokens.get(token.gateway_id, token.app_user_email)
        if stored is None:
            raise AssertionError("contract broken: a swap never removes the token")
        try:
            await store.tokens.put(next_revision(stored), replacing=stored)
            done += 1
        except RecordConflict:
            continue


async def swap_and_take(store: RecordStore, ids: Sequence[str], meet: Meet) -> list[str]:
    """Write over one document ``SWAPS`` times, then take what can be had; say which."""
    things = store.collection(SUITE_COLLECTION)
    meet()
    done = 0
    while done < SWAPS:
        held = await things.get("counter") or Document("counter", {"writes": 0})
        try:
            await things.put(replace(held, body={"writes": held.body["writes"] + 1}))
            done += 1
        except RecordConflict:
            continue
    meet()
    taken = await asyncio.gather(*map(things.take, ids))
    return [document.id for document in taken if document is not None]


async def _consume(store: StateStore, key: StateKey) -> Answer:
    try:
        return await store.consume(key)
    except LatchpinError as exc:
        return type(exc).__name__


async def _put(store: StateStore, pending: PendingAuthorization) -> str:
    try:
        await store.put(pending)
    except StateConflict as exc:
        return type(exc).__name__
    return "kept"


def _short(answer: Answer) -> str:
    return answer if isinstance(answer, str) else "won"
