"""What it costs to tell of a call: ``python -m benchmarks.told [--rounds 10]``.

Workers of ``latchpin serve`` on SQLite before one MCP-like server, asked in turn for a small call with 16 under way:
one where nobody is told of anything, as if ``latchpin-metrics`` were not installed; one with metrics; and those that
audit calls besides. Printed is the CPU of a call, and what each adds to that of the first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.flows import serve_gateway
from benchmarks.proxy import add_gateway, bearer, make_server
from benchmarks.side_by_side import Cost, Way, compare, serving

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
UNTOLD = """#!{python}
import importlib.metadata
import sys

found = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **wanted: [each for each in found(**wanted) if each.name != "metrics"]
from latchpin.commands.main import main

sys.exit(main())
"""
WAYS: dict[str, dict[str, str]] = {
    "nobody is told": {},
    "metrics": {},
    "and AUDIT_CALLS=lines": {"AUDIT_CALLS": "lines", "AUDIT_CALLS_FILE": "calls.jsonl"},
    "the same with AUDIT_ARGUMENTS=hash": {
        "AUDIT_CALLS": "lines",
        "AUDIT_CALLS_FILE": "calls.jsonl",
        "AUDIT_ARGUMENTS": "hash",
    },
    "and AUDIT_CALLS=chain": {"AUDIT_CALLS": "chain"},
    "the same with AUDIT_CALLS_STRICT": {"AUDIT_CALLS": "chain", "AUDIT_CALLS_STRICT": "true"},
}
"""The first is the floor."""


@contextlib.contextmanager
def way(name: str, settings: dict[str, str], server: str) -> Iterator[Way]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "untold"
        script.write_text(UNTOLD.format(python=sys.executable))
        script.chmod(0o700)
        executable = None if settings or name == "metrics" else str(script)
        with serve_gateway({}, Path(folder), executable=executable, LOG_LEVEL="INFO", **settings) as process:
            gateway = add_gateway(process.base_url, server)
            url, headers = f"{process.base_url}/gateways/{gateway}/mcp", bearer(process.base_url) | JSON
            yield Way(name, url, [process.pid], headers, json.dumps(CALL).encode())


def rows(costs: dict[str, Cost]) -> Iterator[str]:
    floor = next(iter(costs.values()))
    for name, cost in costs.items():
        added = statistics.median(one / other for one, other in zip(cost.cpu, floor.cpu, strict=True)) - 1
        yield f"| {name} | {cost.usual * 1e6:.0f} | {'' if cost is floor else f'{added:+.1%}'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", type=int, default=len(WAYS), help="only the first ones")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        server, _ = stack.enter_context(serving(make_server))
        chosen = list(WAYS.items())[: options.ways]
        ways = [stack.enter_context(way(name, settings, server)) for name, settings in chosen]
        costs = asyncio.run(compare(ways, at_once=16, seconds=options.seconds, rounds=options.rounds))
    print("| who is told of a call | CPU of it, us | adds |\n|---|---|---|")
    for row in rows(costs):
        print(row)


if __name__ == "__main__":
    main()
