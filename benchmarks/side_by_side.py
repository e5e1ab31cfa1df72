"""Ways to the same thing, measured in turn: what each costs in CPU, and how long its answers take."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import uvicorn

from benchmarks.flows import cpu_seconds
from tests.servers.processes import Reservation

__all__ = ["Cost", "Way", "bare_server", "compare", "serving"]


@dataclass(frozen=True)
class Way:
    """A way, and the processes whose CPU it takes.

    Attributes:
        url: is asked, and must answer with ``status``.
        body: is sent with POST; None: GET.
    """

    name: str
    url: str
    processes: Sequence[int]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 200


@dataclass
class Cost:
    """What a way cost: seconds of CPU a call, round by round, and the seconds that each answer took."""

    cpu: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)

    @property
    def usual(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.cpu)

    def percentile(self, number: int) -> float:
        """Of the seconds that answers took."""
        return statistics.quantiles(self.taken, n=100)[number - 1]


async def compare(ways: Sequence[Way], *, at_once: int, seconds: float, rounds: int) -> dict[str, Cost]:
    """Ask each for so many seconds in each round, with so many requests under way; the ways take turns."""
    costs = {way.name: Cost() for way in ways}
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        for way in ways:
            await _ask(client, way, at_once, seconds / 4)  # what is opened and remembered, is
        for _ in range(rounds):
            for way in ways:
                before = sum(map(cpu_seconds, way.processes))
                taken = await _ask(client, way, at_once, seconds)
                costs[way.name].cpu.append((sum(map(cpu_seconds, way.processes)) - before) / len(taken))
                costs[way.name].taken += taken
    return costs


async def _ask(client: aiohttp.ClientSession, way: Way, at_once: int, seconds: float) -> list[float]:
    until, taken = time.perf_counter() + seconds, list[float]()

    async def one() -> None:
        while (began := time.perf_counter()) < until:
            method = "GET" if way.body is None else "POST"
            sent: dict[str, Any] = {"headers": way.headers, "data": way.body, "allow_redirects": False}
            async with client.request(method, way.url, **sent) as answer:
                await answer.read()
                assert answer.status == way.status, await answer.text()
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(one() for _ in range(at_once)))
    return taken


@contextlib.contextmanager
def serving(make: Callable[..., Any], *arguments: Any) -> Iterator[tuple[str, int]]:
    """Serve the ASGI application that ``make`` gives, in a process of its own: its origin, and the process' id."""
    with Reservation() as reservation:
        port = reservation.port
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, make, arguments), daemon=True)
        process.start()
        try:
            asyncio.run(_until_there(port))
            assert process.pid is not None
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.join()


def _serve(port: int, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    uvicorn.run(make(*arguments), port=port, log_level="critical", access_log=False, ws="none")


async def _until_there(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


async def _bare(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        headers = [(b"location", b"http://127.0.0.1/elsewhere"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def bare_server() -> Any:
    """An ASGI application that only redirects: what a server costs by itself."""
    return _bare
