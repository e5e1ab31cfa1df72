"""The MCP endpoint side by side with a direct connection: ``python -m benchmarks.proxy [--gigabytes 1]``.

One worker of ``latchpin serve`` on SQLite, an MCP-like server in a process of its own, and this process as the client.
It measures the time to the first byte of a small POST (calls to the two ways alternate, so that drift hits both), the
throughput of a large answer and a large request, and how much the worker's resident memory grows meanwhile: its peak
while the bytes flow against its value after the warm-up. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import jwt

from benchmarks.flows import ADMIN, JWT_KEY, serve_gateway
from benchmarks.side_by_side import serving
from tests.servers import LatchpinProcess

PIECE = b" " * 65_536
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
RESULT = b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"3"}]}}\n\n'


async def _server(scope, receive, send):
    """POST reads the body and answers one event; GET sends as many bytes as its ``Last-Event-ID`` says."""
    headers = dict(scope["headers"])
    if scope["path"] == "/token":
        await _read(receive)
        await _answer(send, b'{"access_token":"a","token_type":"Bearer","expires_in":3600}', b"application/json")
        return
    await _read(receive)
    if scope["method"] == "POST":
        await _answer(send, RESULT, b"text/event-stream")
        return
    left = int(headers[b"last-event-id"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    while left > 0:
        await send({"type": "http.response.body", "body": PIECE[:left], "more_body": True})
        left -= len(PIECE)
    await send({"type": "http.response.body", "body": b""})


async def _read(receive):
    while (await receive()).get("more_body", False):
        pass


async def _answer(send, body, kind):
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_server() -> Any:
    return _server


@contextlib.contextmanager
def mcp_server() -> Iterator[str]:
    with serving(make_server) as (url, _):
        yield url


def resident_mb(process: LatchpinProcess) -> float:
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class Way:
    name: str
    url: str
    headers: dict[str, str]


def bearer(base_url: str, email: str = ADMIN) -> dict[str, str]:
    claims = {"iss": base_url, "aud": base_url, "exp": int(time.time()) + 3600, "email": email}
    return {"Authorization": f"Bearer {jwt.encode(claims, JWT_KEY, algorithm='HS256')}"}


def add_gateway(base_url: str, server: str) -> str:
    config = {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": "s",
        "token_url": f"{server}/token",
    }
    body = {"name": "benchmark", "url": f"{server}/mcp", "auth_type": "oauth", "oauth_config": config}
    answer = httpx.post(f"{base_url}/gateways", json=body, headers=bearer(base_url), trust_env=False)
    answer.raise_for_status()
    return str(answer.json()["id"])


async def first_bytes(client: aiohttp.ClientSession, ways: list[Way], calls: int) -> dict[str, list[float]]:
    """Milliseconds from sending a call to the first byte of its answer's body, by way, the ways taking turns."""
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(calls + 100):
        for way in ways:
            began = time.perf_counter()
            async with client.post(way.url, data=CALL, headers=way.headers) as answer:
                await answer.content.readany()
                if number >= 100:
                    taken[way.name].append((time.perf_counter() - began) * 1000)
                await answer.read()
                assert answer.status == 200, await answer.text()
    return taken


async def download(client: aiohttp.ClientSession, way: Way, size: int) -> float:
    began, seen = time.perf_counter(), 0
    async with client.get(way.url, headers={**way.headers, "Last-Event-ID": str(size)}) as answer:
        async for piece in answer.content.iter_any():
            seen += len(piece)
    assert seen == size, f"{seen} of {size} bytes came"
    return size / 1e6 / (time.perf_counter() - began)


async def upload(client: aiohttp.ClientSession, way: Way, size: int) -> float:
    async def body():
        left = size
        while left > 0:
            yield PIECE[:left]
            left -= len(PIECE)

    began = time.perf_counter()
    async with client.post(way.url, data=body(), headers=way.headers) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    return size / 1e6 / (time.perf_counter() - began)


async def slow_reader(client: aiohttp.ClientSession, way: Way, size: int, seconds: float) -> None:
    """Ask for ``size`` bytes, read none for a while, and leave: the server must have been held back."""
    async with client.get(way.url, headers={**way.headers, "Last-Event-ID": str(size)}) as answer:
        await answer.content.readany()
        await asyncio.sleep(seconds)


async def highest(process: LatchpinProcess, work) -> tuple[float, float]:
    """What ``work`` gives, and the highest resident memory while it ran."""
    task, peak = asyncio.ensure_future(work), 0.0
    while not task.done():
        peak = max(peak, resident_mb(process))
        await asyncio.wait({task}, timeout=0.02)
    return task.result(), peak


async def measure(process: LatchpinProcess, ways: list[Way], calls: int, size: int) -> None:
    direct, proxied = ways
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as client:
        taken = await first_bytes(client, ways, calls)
        print("| first byte of a small POST, ms | p50 | p95 | p99 |\n|---|---|---|---|")
        for name, values in taken.items():
            cuts = statistics.quantiles(values, n=100)
            print(f"| {name} | {cuts[49]:.2f} | {cuts[94]:.2f} | {cuts[98]:.2f} |")
        added = statistics.median(taken["proxied"]) - statistics.median(taken["direct"])
        print(f"\nadded p50: {added:.2f} ms ({calls} calls each)\n")
        await download(client, proxied, 50_000_000)
        await upload(client, proxied, 50_000_000)
        base = resident_mb(process)
        print(f"worker after the warm-up: {base:.1f} MB\n")
        print(f"| {size / 1e9:g} GB | MB/s direct | MB/s proxied | worker grew by at most, MB |\n|---|---|---|---|")
        for name, move in (("answer", download), ("request", upload)):
            plain = await move(client, direct, size)
            speed, peak = await highest(process, move(client, proxied, size))
            print(f"| {name} | {plain:.0f} | {speed:.0f} | {peak - base:.1f} |")
        _, peak = await highest(process, slow_reader(client, proxied, size, 3.0))
        print(f"| answer that nobody reads for 3 s | | | {peak - base:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        mcp_server() as server,
        serve_gateway({}, Path(folder), LOG_LEVEL="INFO") as process,
    ):
        gateway = add_gateway(process.base_url, server)
        ways = [
            Way("direct", f"{server}/mcp", {}),
            Way("proxied", f"{process.base_url}/gateways/{gateway}/mcp", bearer(process.base_url)),
        ]
        asyncio.run(measure(process, ways, options.calls, int(options.gigabytes * 1e9)))


if __name__ == "__main__":
    main()
