"""The one endpoint beside a gateway's own: ``python -m benchmarks.one_endpoint [--servers 25] [--dead 5]``.

One worker of ``latchpin serve`` on SQLite before MCP-like servers of 40 tools each, which one process of its own plays.
It measures how long ``tools/list`` takes from what is kept, and how much of the worker's CPU a call costs at the one
endpoint and at the gateway's own, in turns, so that drift hits both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from benchmarks.flows import cpu_seconds, serve_gateway
from benchmarks.proxy import bearer
from benchmarks.side_by_side import serving
from tests.servers import LatchpinProcess

VERSION = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}
TOOLS = [
    {
        "name": f"tool_{number}",
        "description": "What it does, in a sentence or two. " * 8,
        "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "description": "An argument."}}},
    }
    for number in range(40)
]
RESULTS = {
    "server/discover": {"supportedVersions": [VERSION], "capabilities": {"tools": {}}},
    "tools/list": {"tools": TOOLS, "ttlMs": 600_000, "cacheScope": "private"},
    "tools/call": {"resultType": "complete", "content": [{"type": "text", "text": "3"}]},
}


async def _server(_scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    asked = json.loads(body or b"{}")
    found = RESULTS.get(asked.get("method"))
    answer = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
    text = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), **answer}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def make_server() -> Any:
    return _server


def message(method: str, **params: object) -> tuple[bytes, dict[str, str]]:
    """A request of 2026-07-28, and its header fields."""
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": method,
    }
    if "name" in params:
        headers["mcp-name"] = str(params["name"])
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(body).encode(), headers


async def ask(client: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> float:
    """Seconds until the whole answer is there."""
    began = time.perf_counter()
    async with client.post(url, data=body, headers=headers) as answer:
        text = await answer.read()
    if answer.status != 200 or b'"error"' in text:
        raise RuntimeError(text[:300].decode())
    return time.perf_counter() - began


async def measure(process: LatchpinProcess, own: str, arguments: argparse.Namespace) -> None:
    here = f"{process.base_url}/mcp"
    async with aiohttp.ClientSession(headers=bearer(process.base_url)) as client:
        listing = message("tools/list")
        await ask(client, here, *listing)
        before = cpu_seconds(process.pid)
        times = sorted([await ask(client, here, *listing) for _ in range(arguments.lists)])
        cpu = (cpu_seconds(process.pid) - before) / arguments.lists
        print(
            f"tools/list of {arguments.servers} x {len(TOOLS)}, {arguments.dead} dead: "
            f"p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms, "
            f"CPU {cpu * 1e3:.2f} ms"
        )
        ways = {"its own": (own, message("tools/call", name="tool_1", arguments={"a": "x"}))}
        ways["the one"] = (here, message("tools/call", name="server-0__tool_1", arguments={"a": "x"}))
        spent = dict.fromkeys(ways, 0.0)
        for _ in range(arguments.rounds):
            for name, (url, asked) in ways.items():
                before = cpu_seconds(process.pid)
                for _ in range(arguments.calls):
                    await ask(client, url, *asked)
                spent[name] += cpu_seconds(process.pid) - before
        for name, seconds in spent.items():
            each = seconds / arguments.rounds / arguments.calls
            print(f"a call at {name:<8} endpoint: CPU {each * 1e6:.0f} us")
        print(f"ratio {spent['the one'] / spent['its own']:.2f}")


def add(base_url: str, name: str, url: str) -> str:
    body = {"name": name, "url": url, "auth_type": "none"}
    answer = httpx.post(f"{base_url}/gateways", json=body, headers=bearer(base_url), trust_env=False)
    return str(answer.raise_for_status().json()["id"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=25)
    parser.add_argument("--dead", type=int, default=0)
    parser.add_argument("--lists", type=int, default=500)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    environment = {"CACHE_TYPE": "database", "DATABASE_URL": "sqlite:///./one-endpoint.db"}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(make_server) as (server, _),
        serve_gateway(environment, Path(folder)) as process,
    ):
        url = f"{server}/mcp"
        places = [url] * (arguments.servers - arguments.dead) + ["http://127.0.0.1:1/mcp"] * arguments.dead
        ids = [add(process.base_url, f"Server {number}", place) for number, place in enumerate(places)]
        asyncio.run(measure(process, f"{process.base_url}/gateways/{ids[0]}/mcp", arguments))


if __name__ == "__main__":
    main()
