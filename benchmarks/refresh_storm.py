"""The refresh storm, for each backend: ``python -m benchmarks.refresh_storm --backends sqlite,postgres,redis``.

``latchpin serve --workers 2`` on a real backend, an authorization server that rotates refresh tokens and an MCP server
in a process of their own, and this process as the callers: agents of one user, each with a connection of its own, who
call through ``/gateways/{id}/mcp`` when the user's token has just expired. The authorization server answers when all
of them have asked. Served are those who got the MCP server's answer. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.flows import backend_environment
from tests.servers import GatewayBackend, latchpin_command
from tests.token_refresh.conftest import call_at_once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="sqlite,postgres,redis")
    parser.add_argument("--callers", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print("| backend  | callers | workers | refresh POSTs | served |  p50 s |  p99 s |")
    print("|----------|---------|---------|---------------|--------|--------|--------|")
    for name in arguments.backends.split(","):
        with tempfile.TemporaryDirectory() as folder, backend_environment(name, Path(folder)) as environment:
            backend = GatewayBackend(name, environment, shared=True, label=name)
            outcome = asyncio.run(
                call_at_once(
                    backend,
                    Path(folder),
                    callers=arguments.callers,
                    workers=arguments.workers,
                    executable=latchpin_command(),
                )
            )
        print(outcome.row(), flush=True)
        if outcome.statuses.keys() != {200}:
            print(f"  not served, by status: {dict(outcome.statuses)}, {dict(outcome.refusals)}", flush=True)


if __name__ == "__main__":
    main()
