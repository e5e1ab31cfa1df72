"""One endpoint before 25 servers of 40 tools each: ``python -m benchmarks.one_endpoint [--servers 25] [--dead 5]``.

One worker of ``latchpin serve`` on SQLite, FastMCP with a mounted proxy for each server (where it is installed), and a
virtual server of ContextForge's (where ``python -m benchmarks.contextforge`` installed it), the ways taking turns.
Printed is how long ``tools/list`` takes while all servers live, and after some of them have died; what a call costs in
CPU, as a multiple of one at the gateway's own endpoint; and the memory of the worker after 300 people have listed all,
where a server lists the same for all of them, and where it lists something else for each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from benchmarks import contextforge
from benchmarks.flows import serve_gateway
from benchmarks.proxy import bearer, resident_mb
from benchmarks.side_by_side import Cost, Way, compare, serving
from tests.servers import LatchpinProcess

VERSION = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}
OWN, ONE = "the gateway's own endpoint", "Latchpin's one endpoint"
MOUNTED, VIRTUAL = "FastMCP's mounted proxies", "ContextForge's virtual server"
TOOLS = 40
RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "benchmark", "version": "1"},
    },
    "server/discover": {"supportedVersions": [VERSION], "capabilities": {"tools": {}}, "resultType": "complete"},
    "tools/call": {"resultType": "complete", "content": [{"type": "text", "text": "3"}]},
}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def list_tools(mark: str) -> dict[str, Any]:
    """A server's list; what each tool does has ``mark`` in it."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": "An argument."}}}
    does = "What it does, in a sentence or two. " * 8 + mark
    tools = [{"name": f"tool_{number}", "description": does, "inputSchema": schema} for number in range(TOOLS)]
    return {"tools": tools, "resultType": "complete", "ttlMs": 600_000, "cacheScope": "private"}


class Server:
    """Plays all servers. Below ``/each`` it lists something else each time."""

    def __init__(self) -> None:
        self._listed = list_tools("")
        self._marks = itertools.count()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["method"] != "POST":
            await self._answer(send, b"", 405)
            return
        asked = json.loads(body)
        if "id" not in asked:
            await self._answer(send, b"", 202)
            return
        found = self._result(asked["method"], scope["path"])
        answer = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
        await self._answer(send, json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}).encode(), 200)

    def _result(self, method: str, path: str) -> dict[str, Any] | None:
        if method != "tools/list":
            return RESULTS.get(method)
        return list_tools(str(next(self._marks))) if path.startswith("/each") else self._listed

    async def _answer(self, send: Any, body: bytes, status: int) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def make_mounted(servers: Sequence[str]) -> Any:
    from fastmcp import FastMCP  # noqa: PLC0415  where it is installed
    from fastmcp.server import create_proxy  # noqa: PLC0415

    logging.disable()  # it warns of each server that is dead, each time
    server: Any = FastMCP("all")
    for number, url in enumerate(servers):
        server.mount(create_proxy(url), namespace=f"server{number}")
    return server.http_app(path="/mcp", stateless_http=True, json_response=True)


def modern(method: str, **params: object) -> tuple[bytes, dict[str, str]]:
    """A request of 2026-07-28, and its header fields."""
    headers = {**JSON, "mcp-protocol-version": VERSION, "mcp-method": method}
    if "name" in params:
        headers["mcp-name"] = str(params["name"])
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(body).encode(), headers


def plain(method: str, **params: object) -> tuple[bytes, dict[str, str]]:
    """The same as of a program of 2025 without a session."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(), JSON


@dataclass(frozen=True)
class Place:
    """An endpoint.

    Attributes:
        tool: what the first tool of the first server is called there.
        speaks: puts a request.
    """

    way: Way
    tool: str
    speaks: Any

    def lists(self) -> Way:
        return self._asking(*self.speaks("tools/list"))

    def calls(self) -> Way:
        return self._asking(*self.speaks("tools/call", name=self.tool, arguments={"a": "x"}))

    def _asking(self, body: bytes, headers: dict[str, str]) -> Way:
        return replace(self.way, headers=self.way.headers | headers, body=body)


def add(base_url: str, name: str, url: str) -> str:
    body = {"name": name, "url": url, "auth_type": "none"}
    answer = httpx.post(f"{base_url}/gateways", json=body, headers=bearer(base_url), trust_env=False)
    return str(answer.raise_for_status().json()["id"])


@contextlib.contextmanager
def latchpin(urls: Sequence[str]) -> Iterator[tuple[LatchpinProcess, str]]:
    """A worker with a gateway for each, and the id of the first."""
    environment = {"CACHE_TYPE": "database", "DATABASE_URL": "sqlite:///./one-endpoint.db"}
    with tempfile.TemporaryDirectory() as folder, serve_gateway(environment, Path(folder)) as process:
        ids = [add(process.base_url, f"Server {number}", url) for number, url in enumerate(urls)]
        yield process, ids[0]


@contextlib.contextmanager
def all_places(urls: Sequence[str]) -> Iterator[list[Place]]:
    with contextlib.ExitStack() as stack:
        process, first = stack.enter_context(latchpin(urls))
        here, headers = process.base_url, bearer(process.base_url)
        own = Way(OWN, f"{here}/gateways/{first}/mcp", [process.pid], headers)
        one = Way(ONE, f"{here}/mcp", [process.pid], headers)
        places = [Place(own, "tool_0", modern), Place(one, "server-0__tool_0", modern)]
        if importlib.util.find_spec("fastmcp") is not None:
            url, pid = stack.enter_context(serving(make_mounted, urls))
            places.append(Place(Way(MOUNTED, f"{url}/mcp", [pid]), "server0_tool_0", modern))
        if contextforge.program() is not None:
            there = stack.enter_context(contextforge.virtual_server(urls))
            way = Way(VIRTUAL, there.url, [there.pid], there.headers)
            places.append(Place(way, there.tools[0, "tool_0"], plain))
        yield places


def count_tools(way: Way) -> int:
    """How many tools are listed; none where it is an error."""
    answer = httpx.post(way.url, content=way.body or b"", headers=way.headers, trust_env=False, timeout=600)
    return len(answer.raise_for_status().json().get("result", {}).get("tools", ()))


def ask(ways: Sequence[Way], options: argparse.Namespace) -> dict[str, Cost]:
    return asyncio.run(compare(ways, at_once=1, seconds=options.seconds, rounds=options.rounds))


def print_lists(places: Sequence[Place], state: str, options: argparse.Namespace) -> None:
    ways = [place.lists() for place in places if place.way.name != OWN]
    counts = {way.name: count_tools(way) for way in ways}
    for name, cost in ask(ways, options).items():
        taken = sorted(cost.taken)  # some ways answer but few times
        p50, p99 = (taken[len(taken) * each // 100] * 1e3 for each in (50, 99))
        print(f"| {state} | {name} | {counts[name]} | {p50:.1f} | {p99:.1f} | {cost.usual * 1e3:.1f} |", flush=True)


def print_calls(places: Sequence[Place], options: argparse.Namespace) -> None:
    print("\n| a call | CPU, us | beside the gateway's own endpoint |\n|---|---|---|")
    costs = ask([place.calls() for place in places], options)
    for name, cost in costs.items():
        print(f"| {name} | {cost.usual * 1e6:.0f} | {cost.usual / costs[OWN].usual:.2f}x |", flush=True)


def print_memory(server: str, options: argparse.Namespace) -> None:
    print(f"\n| {options.people} people list {options.servers} servers | before, MB | afterwards, MB |\n|---|---|---|")
    for what, path in (("which list the same for all", "alike"), ("which list something else for each", "each")):
        urls = [f"{server}/{path}/{number}" for number in range(options.servers)]
        with latchpin(urls) as (process, _):
            asyncio.run(list_for(process, "nobody@example.com"))
            before = resident_mb(process)
            for number in range(options.people):
                asyncio.run(list_for(process, f"person-{number}@example.com"))
            print(f"| {what} | {before:.0f} | {resident_mb(process):.0f} |", flush=True)


async def list_for(process: LatchpinProcess, email: str) -> None:
    body, headers = modern("tools/list")
    async with (
        aiohttp.ClientSession(headers=bearer(process.base_url, email) | headers) as client,
        client.post(f"{process.base_url}/mcp", data=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        await answer.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=25)
    parser.add_argument("--dead", type=int, default=5)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lives = options.servers - options.dead
    with serving(Server) as (server, _):
        with contextlib.ExitStack() as mortal:
            dies, _ = mortal.enter_context(serving(Server))
            urls = [f"{server if number < lives else dies}/{number}/mcp" for number in range(options.servers)]
            with all_places(urls) as places:
                print(f"| tools/list of {options.servers} x {TOOLS} | way | tools | p50, ms | p99, ms | CPU, ms |")
                print("|---|---|---|---|---|---|")
                print_lists(places, "all live", options)
                mortal.close()
                print_lists(places, f"{options.dead} are dead", options)
                print_calls(places, options)
        print_memory(server, options)


if __name__ == "__main__":
    main()
