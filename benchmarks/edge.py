"""The native data plane side by side with plain nginx: ``python -m benchmarks.edge [--seconds 4] [--rounds 3]``.

One MCP-like server, plain nginx before it, and two gateways with `latchpin edge` in front of it: one whose answers are
kept for 20 s, one that is asked for each call. All nginx are of the wheel, so that they are the same program. The ways
take turns. What counts is CPU time: of nginx alone, or of nginx and Latchpin together. Then the time to the first byte
of a stream, calls to the ways taking turns. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from benchmarks.proxy import CALL, mcp_server
from tests.edge.conftest import Edge, start_edge, wheel
from tests.servers import Reservation, ServerProcess, latchpin_command
from tests.servers.gateway import clean_environment
from tests.support.gateway_process import ALICE

PLAIN = """
worker_processes auto; error_log stderr crit; pid nginx.pid; events {{ }}
http {{
  access_log off; {temporary}
  upstream server {{ server {server}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://server; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Authorization "Bearer x";
    }}
  }}
}}
"""

CALLS_OF_A_CONNECTION = 1000
"""After so many, nginx closes it."""


@dataclass
class Way:
    """A way to the server, and the processes whose CPU it takes."""

    name: str
    url: str
    headers: dict[str, str]
    processes: Sequence[int]


@contextlib.contextmanager
def plain_nginx(server: str) -> Iterator[Way]:
    with tempfile.TemporaryDirectory() as folder, Reservation() as reservation:
        Path(folder).chmod(0o755)
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi"))
        text = PLAIN.format(server=urlsplit(server).netloc, port=reservation.port, temporary=temporary)
        config = Path(folder) / "nginx.conf"
        config.write_text(text)
        command = [wheel(), "-c", str(config), "-p", folder, "-g", "daemon off;"]
        with ServerProcess(command, env=clean_environment({}), cwd=Path(folder)) as process:
            yield Way("plain nginx", f"http://127.0.0.1:{reservation.port}/mcp", {}, [process.pid])


@contextlib.contextmanager
def native(name: str, server: str, **settings: str) -> Iterator[Way]:
    settings = {"LOG_LEVEL": "INFO", **settings}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_edge(Path(folder), executable=latchpin_command(), **settings) as edge,
    ):
        gateway = asyncio.run(add_gateway(edge, server))
        headers = {"authorization": f"Bearer {edge.gateway.bearer(ALICE)}"}
        pids = [edge.program.pid, edge.gateway.process.pid]
        yield Way(name, f"{edge.url}/gateways/{gateway}/mcp", headers, pids)


async def add_gateway(edge: Edge, server: str) -> str:
    config = {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": "s",
        "token_url": f"{server}/token",
    }
    return await edge.add(f"{server}/mcp", auth_type="oauth", oauth_config=config)


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes and their children."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(path.parent.name) in pids or int(fields[1]) in pids:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def one_caller(way: Way, until: float) -> int:
    """Call again and again on one connection; how often. Written by hand, to leave the machine to the others."""
    parts = urlsplit(way.url)
    fields = {
        "host": parts.netloc,
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "content-length": str(len(CALL)),
        **way.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = f"POST {parts.path} HTTP/1.1\r\n{lines}\r\n".encode() + CALL
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    calls = 0
    while time.perf_counter() < until:
        if calls % CALLS_OF_A_CONNECTION == CALLS_OF_A_CONNECTION - 1:
            writer.close()
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(None, 1)[0]))
        calls += 1
    writer.close()
    return calls


async def cost(way: Way, callers: int, seconds: float) -> float:
    """Microseconds of CPU that one call takes."""
    await asyncio.gather(*(one_caller(way, time.perf_counter() + 0.3) for _ in range(callers)))
    before, until = cpu_seconds(way.processes), time.perf_counter() + seconds
    calls = sum(await asyncio.gather(*(one_caller(way, until) for _ in range(callers))))
    return (cpu_seconds(way.processes) - before) / calls * 1e6


async def first_bytes(ways: Sequence[Way], calls: int) -> dict[str, list[float]]:
    """Milliseconds from sending a call to the first byte of the stream that answers it."""
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    about = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    async with aiohttp.ClientSession() as client:
        for number in range(calls + 20):
            for way in ways:
                began = time.perf_counter()
                async with client.post(way.url, data=CALL, headers={**about, **way.headers}) as answer:
                    await answer.content.readany()
                    if number >= 20:
                        taken[way.name].append((time.perf_counter() - began) * 1000)
                    assert answer.status == 200
                    await answer.read()
    return taken


async def measure(ways: Sequence[Way], *, callers: int, seconds: float, rounds: int, calls: int) -> None:
    found: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way.name].append(await cost(way, callers, seconds))
    plain = statistics.median(found[ways[0].name])
    print(f"| {callers} callers | CPU of a call, us | to plain nginx |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.0f} | {statistics.median(values) / plain:.2f} |")
    taken = await first_bytes(ways, calls)
    print("\n| first byte of a stream, ms | p50 | p99 |\n|---|---|---|")
    for name, values in taken.items():
        cuts = statistics.quantiles(values, n=100)
        print(f"| {name} | {cuts[49]:.2f} | {cuts[98]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--calls", type=int, default=500, help="to each way, for the first byte of a stream")
    options = parser.parse_args()
    with (
        mcp_server() as server,
        plain_nginx(server) as plain,
        native("nginx and Latchpin, kept for 20 s", server) as kept,
        native("nginx and Latchpin, asked for each call", server, EDGE_CACHE_SECONDS="0") as asked,
    ):
        work = measure(
            [plain, kept, asked],
            callers=options.callers,
            seconds=options.seconds,
            rounds=options.rounds,
            calls=options.calls,
        )
        asyncio.run(work)


if __name__ == "__main__":
    main()
