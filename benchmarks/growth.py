"""What grows with what is stored: ``python -m benchmarks.growth --stores sqlite,redis --sizes 1000,1000000``.

For each store and each kind (states, tokens, flows) so many are stored, by the store's own methods, and then pairs are
measured, 32 at once: a state put and consumed, a token put and replaced after it was read, a flow's begin and its end
written. A pair's CPU is this process's and the server's together. The last column says how many times as much it costs
as at the first size. The machine's other work moves single figures by a fifth or so.

A million states take some 2 GB of disk, or of memory on Redis, and minutes to store.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

from latchpin.errors import BackendUnavailable
from latchpin.model import StateKey
from latchpin.oauth.state import StatePayload, build_state
from latchpin_flows.records import FlowRecords
from latchpin_flows.steps import FlowStep
from latchpin_testing import samples
from latchpin_testing.sealing import SuiteSigner

from benchmarks.opened_stores import NAMES, Opened, now, open_stores, place_of
from tests.records.stores import sample_flow
from tests.servers import run_latchpin

AT_ONCE = 32
FILLED_AT_ONCE = 500
LIFE = timedelta(days=1)
_SIGNER = SuiteSigner()

One = Callable[[], Awaitable[object]]
Kind = Callable[[Opened], Awaitable[tuple[One, One]]]
"""Makes two things to do: store one more, and the pair that is measured."""


async def states(opened: Opened) -> tuple[One, One]:
    """Pending authorizations, under states like ours."""
    gateway_id = samples.new_id()

    async def fill() -> StateKey:
        payload = StatePayload(
            gateway_id, f"{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16), now().isoformat(),
            secrets.token_urlsafe(32), "suite", "worker-1", samples.new_id(), "store",
        )  # fmt: skip
        key = StateKey(gateway_id, build_state(payload, _SIGNER))
        await opened.states.put(samples.pending_authorization(now(), ttl=LIFE, key=key))
        return key

    async def pair() -> None:
        await opened.states.consume(await fill())

    return fill, pair


async def tokens(opened: Opened) -> tuple[One, One]:
    """Users' tokens at one gateway."""
    gateway = samples.gateway(now())
    await opened.records.gateways.put(gateway)

    async def fill() -> str:
        email = f"{secrets.token_hex(8)}@example.com"
        token = samples.stored_token(now(), gateway_id=gateway.id, app_user_email=email)
        await opened.records.tokens.put(token, replacing=None)
        return email

    async def pair() -> None:
        held = await opened.records.tokens.get(gateway.id, await fill())
        assert held is not None
        await opened.records.tokens.put(replace(held, revision=held.revision + 1), replacing=held)

    return fill, pair


async def flows(opened: Opened) -> tuple[One, One]:
    """The history of flows, as many written at once as come at once."""
    records = FlowRecords(opened.records.collection)

    async def write(flow: list[FlowStep]) -> None:
        await records.append(flow, life=LIFE)

    async def fill() -> None:
        await write(sample_flow(now())[:3])

    async def pair() -> None:
        flow = sample_flow(now())
        await write(flow[:3])
        await write(flow[3:])

    return fill, pair


KINDS: dict[str, Kind] = {"states": states, "tokens": tokens, "flows": flows}


async def many(one: One, count: int, at_once: int) -> None:
    numbers: Iterator[int] = iter(range(count))

    async def worker() -> None:
        for _ in numbers:  # shared by all workers
            await one()

    await asyncio.gather(*(worker() for _ in islice(range(at_once), count)))


async def _insist(one: One) -> object:
    """Do it, however long a busy disk makes the store unavailable."""
    while True:
        try:
            return await one()
        except BackendUnavailable:
            await asyncio.sleep(1)


async def measure(opened: Opened, kind: Kind, sizes: list[int], pairs: int) -> list[float]:
    """Seconds of CPU of a pair at each size: the median of five parts."""
    fill, pair = await kind(opened)
    found, stored = [], 0
    for size in sizes:
        await many(lambda: _insist(fill), size - stored, FILLED_AT_ONCE)
        await many(pair, pairs // 5, AT_ONCE)  # what is compiled and cached, is
        parts = []
        for _ in range(5):
            before = opened.cpu()
            await many(pair, pairs // 5, AT_ONCE)
            parts.append((opened.cpu() - before) / (pairs // 5))
        found.append(sorted(parts)[2])
        stored = size
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default=NAMES)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--sizes", default="1000,1000000")
    parser.add_argument("--pairs", type=int, default=5000)
    arguments = parser.parse_args()
    sizes = [int(text) for text in arguments.sizes.split(",")]
    print("| store    | kind   | stored   | us CPU a pair | against the first |")
    print("|----------|--------|----------|---------------|-------------------|")
    for name in arguments.stores.split(","):
        for kind in arguments.kinds.split(","):
            with place_of(name) as place:
                if name == "postgres":
                    run_latchpin("db", "upgrade", env={"DATABASE_URL": place.url}, cwd=Path.cwd())
                async with open_stores(place) as opened:
                    found = await measure(opened, KINDS[kind], sizes, arguments.pairs)
                for size, seconds in zip(sizes, found, strict=True):
                    row = f"| {name:8} | {kind:6} | {size:8} | {seconds * 1e6:13.0f} | {seconds / found[0]:16.2f}x |"
                    print(row, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
