"""ContextForge, to measure beside: ``python -m benchmarks.contextforge`` installs it in ``.venv-contextforge``.

Benchmarks measure it where it is installed, and set it up with a client of its own kind.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers.contextforge import bearer, install, program, serve_contextforge

__all__ = ["VirtualServer", "program", "virtual_server"]


@dataclass(frozen=True)
class VirtualServer:
    """One endpoint of it that has the tools of some MCP servers.

    Attributes:
        url: its MCP endpoint.
        headers: let an administrator in.
        tools: the names that its tools have there, by the number of their server and what it calls them.
        pid: its only process that serves.
    """

    url: str
    headers: dict[str, str]
    tools: dict[tuple[int, str], str]
    pid: int


@contextlib.contextmanager
def virtual_server(servers: Sequence[str]) -> Iterator[VirtualServer]:
    """Serve one endpoint before the MCP servers of these URLs, on SQLite, by one process."""
    with tempfile.TemporaryDirectory() as folder, serve_contextforge(Path(folder)) as contextforge:
        with contextforge.client() as client:
            path, tools = _set_up(client, servers)
        yield VirtualServer(f"{contextforge.url}{path}", bearer(), tools, contextforge.pid)


def _set_up(client: httpx.Client, servers: Sequence[str]) -> tuple[str, dict[tuple[int, str], str]]:
    """Enter the servers, and make one endpoint of all their tools: its path, and what they are called there."""
    numbers = {}
    for number, url in enumerate(servers):
        entered = {"name": f"server{number}", "url": url, "transport": "STREAMABLEHTTP"}
        numbers[client.post("/gateways", json=entered).raise_for_status().json()["id"]] = number
    tools = client.get("/tools", params={"limit": 0}).raise_for_status().json()
    made = {"server": {"name": "benchmark", "associated_tools": [each["id"] for each in tools]}}
    found = client.post("/servers", json=made).raise_for_status().json()
    return f"/servers/{found['id']}/mcp", {
        (numbers[each["gatewayId"]], each["originalName"]): each["name"] for each in tools
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if (reason := install()) is not None:
        sys.exit(reason)


if __name__ == "__main__":
    main()
