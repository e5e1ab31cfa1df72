"""Flows per second and server CPU per flow, for each backend: ``python -m benchmarks.flows --backends sqlite,redis``.

One worker of ``latchpin serve`` on a real backend, a token endpoint in a process of its own, and a driver in a third
that keeps 32 flows under way. A flow is authorize (302), callback, token POST, sealed token stored (303). CPU is the
gateway process's own user and system time. Run it on an otherwise idle machine.

The last columns say how many times the CPU of a bare ASGI application that answers 302 an authorization costs, and a
whole flow. That application is asked by the same driver right before and after each backend.

``--history 24,0 --rounds 5`` runs each backend with and without the history of flows (FLOW_HISTORY_HOURS), one after
the other in each round, and gives the median difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx
import jwt
import uvicorn

from tests.servers import (
    LatchpinProcess,
    PostgresServer,
    RedisServer,
    latchpin_command,
    run_latchpin,
    start_latchpin,
)
from tests.servers.processes import Reservation

ResultT = TypeVar("ResultT")

AT_ONCE = 32
SECRET = "a-secret-of-the-benchmark-with-at-least-32-bytes"
JWT_KEY = "a-key-of-the-benchmark-for-bearer-tokens-40-c"
ADMIN = "admin@example.com"
HEADER = "X-Benchmark-User"


@dataclass
class Figures:
    """What was measured.

    Attributes:
        authorize_cpu: seconds of an authorization alone.
        bare_cpu: seconds of a bare 302.
    """

    backend: str
    history: int
    flows: int
    seconds: float
    cpu_seconds: float
    p50: float
    p99: float
    resident_mb: float
    authorize_cpu: float
    bare_cpu: float

    @property
    def cpu_per_flow(self) -> float:
        """Milliseconds."""
        return self.cpu_seconds / self.flows * 1000

    def row(self) -> str:
        return (
            f"| {self.backend:<8} | {self.history:7} | {self.flows / self.seconds:8.0f} | {self.cpu_per_flow:11.3f} "
            f"| {self.p50 * 1000:7.1f} "
            f"| {self.p99 * 1000:7.1f} | {self.resident_mb:6.0f} | {self.bare_cpu * 1e6:7.0f} "
            f"| {self.authorize_cpu / self.bare_cpu:8.1f}x | {self.cpu_per_flow / 1000 / self.bare_cpu:5.1f}x |"
        )


async def _token_app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    body = json.dumps(
        {"access_token": "a" * 64, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r" * 64, "scope": "a"}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _bare_app(_scope, _receive, send):
    headers = [(b"location", b"http://127.0.0.1/x"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _serve_tokens(port: int) -> None:
    uvicorn.run(_token_app, port=port, log_level="critical", access_log=False)


def _serve_bare(port: int) -> None:
    uvicorn.run(_bare_app, port=port, log_level="critical", access_log=False, lifespan="off")


@contextlib.contextmanager
def _serving(target: Callable[[int], None]) -> Iterator[tuple[str, int]]:
    """The URL and the process of a server in a process of its own."""
    with Reservation() as reservation:
        port = reservation.port
        process = multiprocessing.get_context("spawn").Process(target=target, args=(port,), daemon=True)
        process.start()
        try:
            _wait_for(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}", process.pid or 0
        finally:
            process.terminate()
            process.join()


@contextlib.contextmanager
def token_endpoint() -> Iterator[str]:
    with _serving(_serve_tokens) as (url, _):
        yield url


@contextlib.contextmanager
def bare_application() -> Iterator[tuple[str, int]]:
    """A bare ASGI application that answers 302: its URL and its process."""
    with _serving(_serve_bare) as bare:
        yield bare


def _wait_for(url: str) -> None:
    while True:
        with contextlib.suppress(httpx.ConnectError):
            httpx.get(url, trust_env=False)
            return
        time.sleep(0.05)


@contextlib.contextmanager
def backend_environment(name: str, folder: Path) -> Iterator[dict[str, str]]:
    if name == "memory":
        yield {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    elif name == "sqlite":
        yield {"CACHE_TYPE": "database", "DATABASE_URL": f"sqlite:///{folder}/mcp.db"}
    elif name == "postgres":
        with contextlib.closing(PostgresServer()) as server:
            server.start()
            yield {"CACHE_TYPE": "database", "DATABASE_URL": server.create_database()}
    else:
        with contextlib.closing(RedisServer()) as server:
            server.start()
            yield {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": server.url}


def settings_of(environment: Mapping[str, str], **settings: str) -> dict[str, str]:
    """What a gateway on that backend is served with, and commands are run with; ``settings`` come on top."""
    return {
        **environment,
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "JWT_SECRET_KEY": JWT_KEY,
        "ADMIN_EMAILS": ADMIN,
        "TRUSTED_USER_HEADER": HEADER,
        "TRUSTED_PROXIES": "127.0.0.1",
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        "LOG_LEVEL": "WARNING",
        **settings,
    }


@contextlib.contextmanager
def serve_gateway(
    environment: Mapping[str, str], folder: Path, *arguments: str, executable: str | None = None, **settings: str
) -> Iterator[LatchpinProcess]:
    """Serve a gateway as its deployer does, by the installed command; ``settings`` come on top.

    What the tests serve is a copy of a process that has imported everything: its memory and CPU are not a gateway's.
    """
    env = settings_of(environment, **settings)
    if "DATABASE_URL" in env:
        run_latchpin("db", "upgrade", env=env, cwd=folder)
    with start_latchpin(*arguments, env=env, cwd=folder, executable=executable or latchpin_command()) as process:
        yield process


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def one_flow(session: aiohttp.ClientSession, base: str, gateway: str, user: str) -> float:
    began = time.perf_counter()
    headers = {HEADER: user}
    async with session.get(f"{base}/oauth/authorize/{gateway}", headers=headers, allow_redirects=False) as answer:
        if answer.status != 302:
            raise RuntimeError(f"authorize answered {answer.status}: {await answer.text()}")
        cookie = answer.headers["set-cookie"].partition(";")[0]
        state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    url = f"{base}/oauth/callback?code=the-code&state={state}"
    async with session.get(url, headers=headers | {"Cookie": cookie}, allow_redirects=False) as answer:
        if answer.status != 303:
            raise RuntimeError(f"callback answered {answer.status}: {await answer.text()}")
    return time.perf_counter() - began


async def one_request(session: aiohttp.ClientSession, url: str, user: str) -> None:
    async with session.get(url, headers={HEADER: user}, allow_redirects=False) as answer:
        if answer.status != 302:
            raise RuntimeError(f"{url} answered {answer.status}: {await answer.text()}")


async def drive(
    base: str, gateway: str, flows: int, tag: str, one: Callable[..., Awaitable[ResultT]] = one_flow
) -> list[ResultT]:
    """Have ``flows`` people each do ``one`` thing, ``AT_ONCE`` at a time."""
    numbers = iter(range(flows))
    results: list[ResultT] = []
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def worker() -> None:
            for number in numbers:  # shared by all workers
                results.append(await one(session, base, gateway, f"{tag}{number}@example.com"))  # noqa: PERF401

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return results


def cpu_of_requests(pid: int, url: str, count: int) -> float:
    """Seconds of CPU that ``pid`` spends on one GET of ``url``."""

    async def one(session: aiohttp.ClientSession, _base: str, _gateway: str, user: str) -> None:
        await one_request(session, url, user)

    before = cpu_seconds(pid)
    asyncio.run(drive(url, "", count, "alone", one))
    return (cpu_seconds(pid) - before) / count


def add_gateway(base: str, token_url: str) -> str:
    claims = {"iss": base, "aud": base, "exp": int(time.time()) + 600, "email": ADMIN}
    bearer = jwt.encode(claims, JWT_KEY, algorithm="HS256")
    config = {
        "client_id": "benchmark",
        "client_secret": "the-client's-secret",
        "authorization_url": f"{token_url}/authorize",
        "token_url": f"{token_url}/token",
        "scopes": ["a"],
        "assume_pkce": True,
    }
    body = {"url": f"{token_url}/mcp", "oauth_config": config}
    answer = httpx.post(f"{base}/gateways", json=body, headers={"Authorization": f"Bearer {bearer}"}, trust_env=False)
    return str(answer.raise_for_status().json()["id"])


def measure(name: str, flows: int, history: int, bare: tuple[str, int]) -> Figures:
    bare_url, bare_pid = bare
    with (
        tempfile.TemporaryDirectory() as folder,
        backend_environment(name, Path(folder)) as environment,
        token_endpoint() as token_url,
    ):
        settings = {"MAX_PENDING": "1000000", "FLOW_HISTORY_HOURS": str(history)}
        with serve_gateway(environment, Path(folder), **settings) as process:
            gateway = add_gateway(process.base_url, token_url)
            idle = resident_mb(process.pid)
            asyncio.run(drive(process.base_url, gateway, 200, "warm"))
            floor = cpu_of_requests(bare_pid, bare_url, flows)
            alone = cpu_of_requests(process.pid, f"{process.base_url}/oauth/authorize/{gateway}", flows)
            before, began = cpu_seconds(process.pid), time.perf_counter()
            times = asyncio.run(drive(process.base_url, gateway, flows, "user"))
            seconds, cpu = time.perf_counter() - began, cpu_seconds(process.pid) - before
            floor = (floor + cpu_of_requests(bare_pid, bare_url, flows)) / 2
    cuts = statistics.quantiles(times, n=100)
    return Figures(name, history, flows, seconds, cpu, cuts[49], cuts[98], idle, alone, floor)


def compare(name: str, found: list[Figures]) -> str:
    """What each history costs beside the last one named: the median of the rounds' differences, in CPU of a flow."""
    by_history: dict[int, list[float]] = {}
    for figures in found:
        by_history.setdefault(figures.history, []).append(figures.cpu_per_flow)
    *others, base = by_history
    usual = statistics.median(by_history[base])
    texts = [f"{name}: FLOW_HISTORY_HOURS={base} takes {usual:.3f} ms CPU a flow"]
    for each in others:
        differences = [one - other for one, other in zip(by_history[each], by_history[base], strict=True)]
        more = statistics.median(differences)
        texts.append(f"={each} {more * 1000:+.0f} us, {more / usual:+.1%}")
    return "; ".join(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="memory,sqlite,postgres,redis")
    parser.add_argument("--flows", type=int, default=3000)
    parser.add_argument("--history", default="24", help="FLOW_HISTORY_HOURS to compare, comma-separated")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    histories = [int(text) for text in arguments.history.split(",")]
    print(
        "| backend  | history |  flows/s | CPU ms/flow | p50 ms  | p99 ms  | MB idle | bare, us | authorize | flow   |"
    )
    print(
        "|----------|---------|----------|-------------|---------|---------|---------|----------|-----------|--------|"
    )
    with bare_application() as bare:
        for name in arguments.backends.split(","):
            found = []
            for _ in range(arguments.rounds):
                for history in histories:
                    found.append(measure(name, arguments.flows, history, bare))
                    print(found[-1].row(), flush=True)
            if len(histories) > 1:
                print(compare(name, found), flush=True)


if __name__ == "__main__":
    main()
