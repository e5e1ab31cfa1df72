"""Authorizations beside a bare redirect: ``python -m benchmarks.authorize [--stores memory,redis,sqlite,postgres]``.

A bare ASGI application that answers 302, and one worker of ``latchpin serve`` on each store, each in a process of its
own, with 16 requests under way, in turn. Printed is the CPU of that process for an authorize, and for a whole flow
(authorize, callback, the POST to the token endpoint, the sealed token stored), as a multiple of the bare redirect's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.flows import (
    HEADER,
    add_gateway,
    backend_environment,
    cpu_seconds,
    drive,
    serve_gateway,
    token_endpoint,
)
from benchmarks.side_by_side import Way, bare_server, compare, serving
from tests.servers import LatchpinProcess

AT_ONCE = 16


@contextlib.contextmanager
def gateway_on(store: str) -> Iterator[LatchpinProcess]:
    with tempfile.TemporaryDirectory() as folder, backend_environment(store, Path(folder)) as environment:
        settings = {"MAX_PENDING": "1000000", "MAX_PENDING_PER_USER": "1000000"}
        with serve_gateway(environment, Path(folder), **settings) as process:
            yield process


def measure(store: str, bare: Way, tokens: str, options: argparse.Namespace) -> str:
    with gateway_on(store) as process:
        gateway = add_gateway(process.base_url, tokens)
        url = f"{process.base_url}/oauth/authorize/{gateway}"
        ours = Way(store, url, [process.pid], {HEADER: "ann@example.com"}, status=302)
        costs = asyncio.run(compare([bare, ours], at_once=AT_ONCE, seconds=options.seconds, rounds=options.rounds))
        floor, flows = costs[bare.name].usual, []
        asyncio.run(drive(process.base_url, gateway, 200, "warm"))
        for number in range(options.rounds):
            before = cpu_seconds(process.pid)
            asyncio.run(drive(process.base_url, gateway, options.flows, f"round{number}-"))
            flows.append((cpu_seconds(process.pid) - before) / options.flows)
    return f"| {store} | {costs[store].usual / floor:.1f}x | {statistics.median(flows) / floor:.0f}x |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default="memory,redis,sqlite,postgres")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flows", type=int, default=500)
    options = parser.parse_args()
    print("| store | authorize | whole flow |\n|---|---|---|")
    with serving(bare_server) as (url, pid), token_endpoint() as tokens:
        bare = Way("a bare redirect", f"{url}/", [pid], status=302)
        for store in options.stores.split(","):
            print(measure(store, bare, tokens, options), flush=True)


if __name__ == "__main__":
    main()
