"""Many agents whose token expired call at the same moment, through two workers of a real gateway.

The authorization server holds its answer until all of them have asked, so that every one of them finds the expired
token. Shared by the test and by ``python -m benchmarks.refresh_storm``.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx

from tests.servers import GatewayBackend, serve_asgi
from tests.support.gateway_process import ALICE, Rig, settings_of, start_rig
from tests.token_refresh.refreshing import RotatingServer, add_gateway, open_application, put_token

__all__ = ["Outcome", "call_at_once"]

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
PATIENCE = 120
"""Seconds that a caller waits for its answer; the machine may be busy with other things."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        refreshes: requests that the authorization server saw.
        statuses: how many callers got which status.
        workers: how many of them each worker answered, by its process id.
        bearers: how often the MCP server was shown each access token.
        seconds: how long each caller waited.
        refusals: what those were told who were not served.
    """

    backend: str
    refreshes: int
    statuses: Counter[int]
    workers: Counter[str]
    bearers: dict[str, int]
    seconds: list[float]
    refusals: Counter[str]

    def row(self) -> str:
        cuts = statistics.quantiles(self.seconds, n=100)
        return (
            f"| {self.backend:<8} | {len(self.seconds):7} | {len(self.workers):7} | {self.refreshes:13} "
            f"| {self.statuses[200]:6} | {cuts[49]:6.2f} | {cuts[98]:6.2f} |"
        )


class _HoldingServer(RotatingServer):
    """A rotating server whose token endpoint answers once ``/open`` was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = asyncio.Event()
        self.after = self._hold

    async def _hold(self, _refresh_token: str) -> None:
        await self._gate.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/open":
            self._gate.set()
            scope = {**scope, "path": "/seen"}
        await super().__call__(scope, receive, send)


def _serve(pipe: Connection) -> None:
    with serve_asgi(_HoldingServer(), lifespan="off") as origin:
        pipe.send(origin)
        pipe.recv()


@contextlib.contextmanager
def _upstream() -> Iterator[str]:
    """Both servers in a process of their own, so that they do not slow down the callers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        assert ours.poll(PATIENCE), "the upstream process did not start"
        yield str(ours.recv())
        ours.send("over")
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()
        ours.close()


async def call_at_once(backend: GatewayBackend, folder: Path, *, callers: int = 1000, workers: int = 2) -> Outcome:
    """Let them all call through a gateway on ``backend``, whose store is empty."""
    most = {"PROXY_MAX_EXCHANGES": "100000", "PROXY_MAX_EXCHANGES_PER_USER": "100000", "LOG_LEVEL": "INFO"}
    most["OAUTH_REQUEST_TIMEOUT"] = str(PATIENCE)  # the answer is held until the last caller has asked
    with _upstream() as origin, start_rig(backend, folder, "serve", "--workers", str(workers), **most) as rig:
        rig.process.wait_for_output("Application startup complete", times=workers)  # or one would serve them all
        async with open_application(settings_of(backend) | {"BASE_URL": rig.url}) as application:
            gateway = await add_gateway(application, origin)
            await put_token(application, gateway, ALICE, refresh_token="alice.0")
        results = await _call(rig, f"{rig.url}/gateways/{gateway.id}/mcp", f"{origin}/open", callers, workers)
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            seen = (await client.get(f"{origin}/seen")).json()
        # A worker writes its line a moment after it answered: the last lines are waited for.
        rig.process.wait_for_output(f"POST /gateways/{gateway.id}/mcp ", times=callers)
        lines = re.findall(
            rf"(\d+) latchpin\.access INFO - \S+ POST /gateways/{gateway.id}/mcp 200 ", rig.process.output
        )
    return Outcome(
        backend.name,
        seen["refreshes"],
        Counter(result.status for result in results),
        Counter(lines),
        seen["bearers"],
        [result.seconds for result in results],
        Counter(result.body for result in results if result.status != HTTPStatus.OK),
    )


@dataclass(frozen=True)
class _Result:
    status: int
    seconds: float
    body: str


async def _call(rig: Rig, url: str, gate: str, callers: int, workers: int) -> list[_Result]:
    headers = JSON | {"Authorization": f"Bearer {rig.bearer(ALICE)}"}
    sent, everybody = 0, asyncio.Event()

    async def count(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
        nonlocal sent
        sent += 1
        if sent == callers:
            everybody.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(count)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)

    async def one(client: aiohttp.ClientSession) -> _Result:
        began = time.perf_counter()
        async with client.post(url, data=CALL, headers=headers) as answer:
            body = await answer.text()
            return _Result(answer.status, time.perf_counter() - began, body)

    async with contextlib.AsyncExitStack() as stack:

        def client() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), trace_configs=[trace], timeout=timeout
            )

        others = await stack.enter_async_context(client())
        opener = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        known = await _one_at_each(rig, client, workers, stack)
        clients = [*known, *[others] * (callers - workers)]
        calls = [asyncio.create_task(one(each)) for each in clients]
        async with asyncio.timeout(PATIENCE):
            await everybody.wait()
        async with opener.get(gate):
            return await asyncio.gather(*calls)


async def _one_at_each(
    rig: Rig, client: Callable[[], aiohttp.ClientSession], workers: int, stack: contextlib.AsyncExitStack
) -> list[aiohttp.ClientSession]:
    """Clients with an open connection, one to each worker: which worker takes a connection is the system's choice."""
    found: dict[str, aiohttp.ClientSession] = {}
    async with asyncio.timeout(PATIENCE):
        while len(found) < workers:
            session = client()
            async with session.get(f"{rig.url}/ready") as answer:
                instance = (await answer.json())["instance"]
            if instance in found:
                await session.close()
                continue
            found[instance] = await stack.enter_async_context(session)
    return list(found.values())
