"""A thousand callers at once, on each store: ``python -m benchmarks.bursts [--backends sqlite,postgres,redis]``.

Two workers of ``latchpin serve``, an MCP server, the callers, and one who asks /health ten times a second, each in a
process of its own. The last asks, in turn with it, a bare server that nobody else asks: what that takes is the
machine's own slowness.

Three bursts: MCP calls of as many people through the proxy, authorizations of as many people, and calls while the
database's server is stopped for five seconds (PostgreSQL and Redis). For each it prints how many were served at once,
how many were refused and served when they asked again after ``Retry-After``, how many failed, when the last of all was
served, and the slowest /health and bare answer meanwhile. After the pause it also prints how long a new caller waits.
``--busy 2`` keeps two cores busy with something else meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from benchmarks.flows import HEADER, serve_gateway
from benchmarks.proxy import CALL, bearer, mcp_server
from benchmarks.proxy import add_gateway as add_server
from tests.servers import PostgresServer, RedisServer

PAUSE_SECONDS = 5.0
HEALTH_SECONDS = 0.1
MOST_TRIES = 30
WANTED = {"calls": 200, "authorizations": 302, "calls beside a pause": 200}
REFUSALS = {429, 503}


@dataclass
class Burst:
    """What came of one burst."""

    backend: str
    what: str
    callers: int
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    slowest_refusal: float = 0.0
    seconds: float = 0.0
    healths: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    later: float | None = None

    def row(self) -> str:
        wanted = WANTED[self.what]
        served, failed = self.first[wanted], self.callers - self.last[wanted]
        unseen = float("nan")  # a burst may be over before it was looked at
        health, bare = max(self.healths, default=unseen) * 1000, max(self.bare, default=unseen) * 1000
        later = "" if self.later is None else f"{self.later * 1000:.0f}"
        cells = (self.backend, self.what, self.callers, served, self.callers - served - failed, failed)
        return f"| {' | '.join(map(str, cells))} | {self.seconds:.1f} | {health:.0f} | {bare:.0f} | {later} |"


HEAD = """
| store | what | callers | served at once | when they asked again | failed | s in all | slowest /health, ms | slowest bare answer, ms | later, ms |
|---|---|---|---|---|---|---|---|---|---|
""".strip()  # noqa: E501  a row of a table


def _watch(health: str, bare: str, results: Any, ended: Any) -> None:
    """Ask both over a new connection each time, as a load balancer does, until ``ended``."""
    while not ended.is_set():
        results.put((_seconds("GET", health), _seconds("POST", bare)))
        time.sleep(HEALTH_SECONDS)
    results.put(None)


def _seconds(method: str, url: str) -> float:
    began = time.perf_counter()
    try:
        answer = httpx.request(method, url, trust_env=False, timeout=30)
    except httpx.TransportError:
        return float("inf")
    return time.perf_counter() - began if answer.is_success else float("inf")


@contextlib.contextmanager
def watched(base: str, bare: str, burst: Burst) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    results, ended = context.Queue(), context.Event()
    process = context.Process(target=_watch, args=(f"{base}/health", f"{bare}/mcp", results, ended), daemon=True)
    process.start()
    results.get()
    try:
        yield
    finally:
        ended.set()
        while (found := results.get()) is not None:
            burst.healths.append(found[0])
            burst.bare.append(found[1])
        process.join()


def _burn() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    burners = [context.Process(target=_burn, daemon=True) for _ in range(cores)]
    for each in burners:
        each.start()
    try:
        yield
    finally:
        for each in burners:
            each.terminate()


async def _ask(session: aiohttp.ClientSession, burst: Burst, method: str, url: str, **sent: Any) -> None:
    """Ask until served; a refusal is believed for as long as it says, and its time and ``Retry-After`` are noted."""
    for number in range(MOST_TRIES):
        began = time.perf_counter()
        try:
            async with session.request(method, url, allow_redirects=False, **sent) as answer:
                await answer.read()
                status, pause = answer.status, answer.headers.get("retry-after")
        except (aiohttp.ClientError, TimeoutError):
            status, pause = 0, None
        if number == 0:
            burst.first[status] += 1
        if status not in REFUSALS or number == MOST_TRIES - 1:
            break
        burst.slowest_refusal = max(burst.slowest_refusal, time.perf_counter() - began)
        burst.without_retry_after += pause is None
        await asyncio.sleep(float(pause or 1) + random.random())
    burst.last[status] += 1


@contextlib.asynccontextmanager
async def client():
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


def _sent(what: str, base: str, gateway: str, number: int) -> tuple[str, str, dict[str, Any]]:
    headers = {HEADER: f"person{number}@example.com"}
    if what == "authorizations":
        return "GET", f"{base}/oauth/authorize/{gateway}", {"headers": headers}
    headers |= {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    return "POST", f"{base}/gateways/{gateway}/mcp", {"headers": headers, "data": CALL}


async def all_at_once(burst: Burst, base: str, gateway: str) -> None:
    async with client() as session:
        began = time.perf_counter()
        asked = []
        for number in range(burst.callers):
            method, url, sent = _sent(burst.what, base, gateway, number)
            asked.append(_ask(session, burst, method, url, **sent))
        await asyncio.gather(*asked)
        burst.seconds = time.perf_counter() - began


async def beside_a_pause(burst: Burst, base: str, gateway: str, server: PostgresServer | RedisServer) -> None:
    """A fifth of the callers each second while the server stands still, then one more caller."""
    async with client() as session:
        began = time.perf_counter()
        asked = []
        with server.paused():
            for number in range(burst.callers):
                method, url, sent = _sent(burst.what, base, gateway, number)
                asked.append(asyncio.ensure_future(_ask(session, burst, method, url, **sent)))
                await asyncio.sleep(PAUSE_SECONDS / burst.callers)
        resumed = time.perf_counter()
        later = Burst(burst.backend, burst.what, 1)
        method, url, sent = _sent(burst.what, base, gateway, burst.callers)
        await _ask(session, later, method, url, **sent)
        burst.later = time.perf_counter() - resumed
        await asyncio.gather(*asked)
        burst.seconds = time.perf_counter() - began


@contextlib.contextmanager
def store(name: str, folder: Path) -> Iterator[tuple[dict[str, str], PostgresServer | RedisServer | None]]:
    if name == "sqlite":
        yield {"CACHE_TYPE": "database", "DATABASE_URL": f"sqlite:///{folder}/mcp.db"}, None
        return
    with contextlib.closing(PostgresServer() if name == "postgres" else RedisServer()) as server:
        server.start()
        if isinstance(server, PostgresServer):
            yield {"CACHE_TYPE": "database", "DATABASE_URL": server.create_database()}, server
        else:
            yield {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": server.url}, server


def add_authorized(base: str, server: str) -> str:
    config = {"client_id": "c", "client_secret": "s", "scopes": ["a"], "assume_pkce": True}
    config |= {"authorization_url": f"{server}/authorize", "token_url": f"{server}/token"}
    answer = httpx.post(
        f"{base}/gateways",
        json={"url": f"{server}/mcp2", "oauth_config": config},
        headers=bearer(base),
        trust_env=False,
    )
    return str(answer.raise_for_status().json()["id"])


def measure(name: str, options: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        store(name, Path(folder)) as (environment, server),
        mcp_server() as upstream,
        mcp_server() as bare,
    ):
        served = serve_gateway(environment, Path(folder), WORKERS=str(options.workers))
        with served as process, busy(options.busy):
            base = process.base_url
            gateways = {
                "calls": add_server(base, upstream),
                "authorizations": add_authorized(base, upstream),
            }
            gateways["calls beside a pause"] = gateways["calls"]
            for what in options.what.split(","):
                if what == "calls beside a pause" and server is None:
                    continue
                burst = Burst(name, what, options.callers)
                with watched(base, bare, burst):
                    if what == "calls beside a pause":
                        assert server is not None
                        asyncio.run(beside_a_pause(burst, base, gateways[what], server))
                    else:
                        asyncio.run(all_at_once(burst, base, gateways[what]))
                print(burst.row(), flush=True)
                if options.more:
                    print(
                        json.dumps(
                            {
                                "first": burst.first,
                                "last": burst.last,
                                "without Retry-After": burst.without_retry_after,
                                "slowest refusal": round(burst.slowest_refusal, 2),
                            }
                        )
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="sqlite,postgres,redis")
    parser.add_argument("--what", default=",".join(WANTED))
    parser.add_argument("--callers", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--busy", type=int, default=0, help="Cores that something else keeps busy meanwhile.")
    parser.add_argument("--more", action="store_true", help="Also print each status, first and last.")
    options = parser.parse_args()
    print(HEAD)
    for name in options.backends.split(","):
        measure(name, options)


if __name__ == "__main__":
    main()
