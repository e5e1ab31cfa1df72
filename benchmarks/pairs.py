"""A put and a consume against the store's bare client: ``python -m benchmarks.pairs --stores sqlite,redis``.

What the bare client does is the least that a store of states has to: write a text under a key unless there is one,
and take it once, leaving a tombstone. It does it for 32 callers together: sqlite3 and psycopg in one transaction for
the puts and one for the consumes, redis-py in one pipeline each. Memory's is a dictionary. Ours does the same for 32
callers who do not know of each other, through the event loop, with its deadlines and its limits.

CPU is this process's and the server's together, in turns, and of each the median. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sqlite3
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from latchpin.contracts import StateStore
from latchpin.model import PendingAuthorization
from latchpin_testing import samples
from redis.asyncio import Redis

from benchmarks.growth import AT_ONCE
from benchmarks.opened_stores import NAMES, Opened, Place, now, open_stores, place_of
from tests.servers import run_latchpin

Entry = tuple[str, str]
"""A key and what is kept under it."""
Bare = Callable[[Sequence[Entry]], Awaitable[None]]
"""Puts these and takes each."""

_CONSUME = """
local held = redis.call('GET', KEYS[1])
if held and held ~= 'used' then redis.call('SET', KEYS[1], 'used', 'KEEPTTL') end
return held
"""
_TABLE = "CREATE TABLE bare (key text PRIMARY KEY, value text, used boolean NOT NULL DEFAULT false)"


@contextlib.asynccontextmanager
async def bare_client(place: Place) -> AsyncIterator[Bare]:
    """The client of a place, used without anything around it."""
    if not place.url:
        yield _in_memory({})
    elif place.url.startswith("redis"):
        async with Redis.from_url(place.url) as client:
            yield _in_redis(client)
    elif place.url.startswith("sqlite"):
        with contextlib.closing(
            sqlite3.connect(f"{urlsplit(place.url).path}.bare", isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
            yield _in_sqlite(connection)
    else:
        async with await psycopg.AsyncConnection.connect(place.url, autocommit=True) as connection:
            await connection.execute(_TABLE)
            yield _in_postgres(connection)


def _in_memory(kept: dict[str, str | None]) -> Bare:
    async def pairs(entries: Sequence[Entry]) -> None:
        for key, value in entries:
            kept.setdefault(key, value)
        for key, value in entries:
            assert kept[key] == value
            kept[key] = None

    return pairs


def _in_redis(client: Redis) -> Bare:
    consume = client.register_script(_CONSUME)

    async def pairs(entries: Sequence[Entry]) -> None:
        async with client.pipeline(transaction=False) as pipeline:
            for key, value in entries:
                pipeline.set(key, value, nx=True, px=360_000)
            await pipeline.execute()
            for key, _ in entries:
                await consume(keys=[key], client=pipeline)
            assert [text.decode() for text in await pipeline.execute()] == [value for _, value in entries]

    return pairs


def _in_sqlite(connection: sqlite3.Connection) -> Bare:
    async def pairs(entries: Sequence[Entry]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO bare (key, value) VALUES (?, ?)", entries)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        keys, marks = [key for key, _ in entries], ",".join("?" * len(entries))
        found = connection.execute(f"SELECT key, value FROM bare WHERE key IN ({marks}) AND NOT used", keys).fetchall()
        connection.execute(f"UPDATE bare SET used = true, value = NULL WHERE key IN ({marks})", keys)
        connection.execute("COMMIT")
        assert len(found) == len(entries)

    return pairs


def _in_postgres(connection: psycopg.AsyncConnection) -> Bare:
    async def pairs(entries: Sequence[Entry]) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO bare (key, value) VALUES (%s, %s)", entries)
        async with connection.transaction(), connection.cursor() as cursor:
            keys = [key for key, _ in entries]
            locked = "SELECT key, value FROM bare WHERE key = ANY(%s) AND NOT used ORDER BY key FOR UPDATE"
            found = await (await cursor.execute(locked, [keys])).fetchall()
            await cursor.execute("UPDATE bare SET used = true, value = NULL WHERE key = ANY(%s)", [keys])
        assert len(found) == len(entries)

    return pairs


def _text_of(pending: PendingAuthorization) -> Entry:
    return pending.key.state, json.dumps(
        {"verifier": pending.code_verifier, "user": pending.app_user_email, "x": "." * 400}
    )


async def _ours(states: StateStore, pendings: Sequence[PendingAuthorization]) -> None:
    async def pair(pending: PendingAuthorization) -> None:
        await states.put(pending)
        await states.consume(pending.key)

    await asyncio.gather(*map(pair, pendings))


async def compare(opened: Opened, bare: Bare, pairs: int, rounds: int) -> tuple[float, float]:
    """Seconds of CPU of a pair: ours, and the bare client's."""
    ours, theirs = [], []
    for number in range(rounds + 1):
        batches = [[samples.pending_authorization(now()) for _ in range(AT_ONCE)] for _ in range(pairs // AT_ONCE)]
        texts = [[_text_of(pending) for pending in batch] for batch in batches]
        times = [opened.cpu()]
        for batch in batches:
            await _ours(opened.states, batch)
        times.append(opened.cpu())
        for entries in texts:
            await bare(entries)
        times.append(opened.cpu())
        if number:  # in the first, everything is compiled and opened
            ours.append((times[1] - times[0]) / (len(batches) * AT_ONCE))
            theirs.append((times[2] - times[1]) / (len(batches) * AT_ONCE))
    return statistics.median(ours), statistics.median(theirs)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default=NAMES)
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| store    | ours, us | bare client, us | ratio |")
    print("|----------|----------|-----------------|-------|")
    for name in arguments.stores.split(","):
        with place_of(name) as place:
            if name == "postgres":
                run_latchpin("db", "upgrade", env={"DATABASE_URL": place.url}, cwd=Path.cwd())
            async with open_stores(place) as opened, bare_client(place) as bare:
                ours, theirs = await compare(opened, bare, arguments.pairs, arguments.rounds)
                print(f"| {name:8} | {ours * 1e6:8.0f} | {theirs * 1e6:15.1f} | {ours / theirs:4.1f}x |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
