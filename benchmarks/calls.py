"""MCP calls by several ways to one server, in turn: ``python -m benchmarks.calls [--stores sqlite,redis]``.

The server asked directly, nginx as a plain reverse proxy (where it is on PATH), one worker of ``latchpin serve`` on
each store, FastMCP's proxy (where it is installed), and ContextForge (where ``python -m benchmarks.contextforge``
installed it). Asked are a call with a small answer, the list of 40 tools, and a call that is answered with 1 MB of
events, with 1, 16 and 64 under way. Printed is the CPU of the way's processes for a call, as a multiple of nginx's (of
the server's own, where there is no nginx), and what the way adds to the time that a direct answer takes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import contextforge
from benchmarks.flows import backend_environment, serve_gateway
from benchmarks.proxy import add_gateway, bearer
from benchmarks.side_by_side import Cost, Way, compare, serving
from tests.servers import Reservation, ServerProcess

DIRECT = "the server itself"
NGINX = "nginx"


def _message(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "a small call": ("add", {"a": 1, "b": 2}),
    "the list of 40 tools": ("", {}),
    "1 MB of events": ("events", {}),
}
"""The tool that is called, and with what; no tool: they are listed."""
TOOL = {
    "description": "What it does, in a sentence or two.",
    "inputSchema": {"type": "object", "properties": {"a": {}}},
}
RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "benchmark", "version": "1"},
    },
    "tools/list": {"tools": [{"name": name, **TOOL} for name in ("add", "events", *(f"tool-{n}" for n in range(38)))]},
    "tools/call": {"content": [{"type": "text", "text": "3"}]},
}


def _event(**message: Any) -> bytes:
    return b"event: message\ndata: " + json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n\n"


EVENT = _event(method="notifications/message", params={"level": "info", "data": "x" * 9_880})
"""Of 10 kB; a hundred of them come before the result."""


async def _server(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/token":
        await _answer(send, b'{"access_token":"a","token_type":"Bearer","expires_in":3600}')
    elif scope["method"] != "POST":
        await _answer(send, b"", status=405)
    elif b'"events"' in body:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(100):
            await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        last = _event(id=json.loads(body)["id"], result=RESULTS["tools/call"])
        await send({"type": "http.response.body", "body": last})
    else:
        asked = json.loads(body)
        result = RESULTS.get(asked["method"])
        document = {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}
        await _answer(send, b"" if result is None else json.dumps(document).encode(), status=200 if result else 202)


async def _answer(send: Any, body: bytes, *, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_server() -> Any:
    return _server


def make_fastmcp(server: str) -> Any:
    from fastmcp.server import create_proxy  # noqa: PLC0415  where it is installed

    return create_proxy(f"{server}/mcp", name="proxy").http_app(stateless_http=True, json_response=True)


@contextlib.contextmanager
def through_nginx(program: str, server: str) -> Iterator[tuple[str, int]]:
    with Reservation() as reservation, tempfile.TemporaryDirectory() as folder:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        aside = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (Path(folder) / "nginx.conf").write_text(
            f"daemon off; master_process off; error_log /dev/null; pid {folder}/pid; events {{}} "
            f"http {{ access_log off; {aside} "
            f"upstream there {{ server {server.removeprefix('http://')}; keepalive 64; }} server {{ "
            f"listen 127.0.0.1:{reservation.port}; location / {{ proxy_pass http://there; proxy_http_version 1.1; "
            "proxy_buffering off; proxy_set_header Connection ''; proxy_set_header Authorization 'Bearer a'; } } }"
        )
        command = [program, "-c", f"{folder}/nginx.conf", "-p", folder]
        with ServerProcess(command, cwd=Path(folder)) as process:
            yield f"http://127.0.0.1:{reservation.port}", process.pid


@contextlib.contextmanager
def through_latchpin(store: str, server: str) -> Iterator[tuple[str, int, dict[str, str]]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        backend_environment(store, Path(folder)) as environment,
        serve_gateway(environment, Path(folder), LOG_LEVEL="INFO") as process,
    ):
        gateway = add_gateway(process.base_url, server)
        yield f"{process.base_url}/gateways/{gateway}/mcp", process.pid, bearer(process.base_url)


@contextlib.contextmanager
def all_ways(stores: list[str]) -> Iterator[list[tuple[Way, Mapping[str, str]]]]:
    """Each way, with the names that it gives to the server's tools where they are others."""
    with contextlib.ExitStack() as stack:
        server, pid = stack.enter_context(serving(make_server))
        ways = [Way(DIRECT, f"{server}/mcp", [pid])]
        if (program := shutil.which("nginx")) is not None:
            url, pid = stack.enter_context(through_nginx(program, server))
            ways.append(Way(NGINX, f"{url}/mcp", [pid]))
        for store in stores:
            url, pid, headers = stack.enter_context(through_latchpin(store, server))
            ways.append(Way(f"Latchpin, {store}", url, [pid], headers))
        if importlib.util.find_spec("fastmcp") is not None:
            url, pid = stack.enter_context(serving(make_fastmcp, server))
            ways.append(Way("FastMCP's proxy", f"{url}/mcp", [pid]))
        named: list[tuple[Way, Mapping[str, str]]] = [(way, {}) for way in ways]
        if contextforge.program() is not None:
            there = stack.enter_context(contextforge.virtual_server([f"{server}/mcp"]))
            names = {tool: name for (_, tool), name in there.tools.items()}
            named.append((Way("ContextForge", there.url, [there.pid], there.headers), names))
        yield named


def _asking(way: Way, names: Mapping[str, str], tool: str, arguments: dict[str, Any]) -> Way:
    sent = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    call = _message("tools/call", name=names.get(tool, tool), arguments=arguments)
    return replace(way, headers=way.headers | sent, body=call if tool else _message("tools/list"))


HEAD = "| asked | at once | way | CPU | adds to p50, ms | to p99, ms |\n|---|---|---|---|---|---|"


def rows(asked: str, at_once: int, costs: dict[str, Cost]) -> Iterator[str]:
    floor, direct = costs.get(NGINX, costs[DIRECT]), costs[DIRECT]
    for name, cost in costs.items():
        added = ((cost.percentile(each) - direct.percentile(each)) * 1000 for each in (50, 99))
        texts = (f"{each:.1f}" for each in added) if cost is not direct else ("", "")
        yield f"| {asked} | {at_once} | {name} | {cost.usual / floor.usual:.1f}x | {' | '.join(texts)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default="sqlite,redis")
    parser.add_argument("--at-once", default="1,16,64")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(HEAD)
    with all_ways(options.stores.split(",")) as ways:
        for asked, (tool, arguments) in ASKED.items():
            for at_once in map(int, options.at_once.split(",")):
                asking = [_asking(*way, tool, arguments) for way in ways]
                work = compare(asking, at_once=at_once, seconds=options.seconds, rounds=options.rounds)
                for row in rows(asked, at_once, asyncio.run(work)):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
