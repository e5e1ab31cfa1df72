"""What Envoy's listeners and clusters are both written with. Pure."""

from __future__ import annotations

from typing import Any

from latchpin_edge.ways import Way

__all__ = ["API", "LARGEST_HELD", "Json", "address", "native_cluster", "pipe", "server_cluster"]

Json = dict[str, Any]

API = "type.googleapis.com/envoy"
LARGEST_HELD = 1_048_576
"""What of a request or an answer waits in memory, in bytes; what is looked at has ten times less."""


def native_cluster(way: Way) -> str:
    """What the native way of a gateway is called, wherever it leads."""
    return f"native_{way.gateway_id}"


def server_cluster(way: Way) -> str:
    """What the MCP server is called that a gateway leads to: what was granted for one goes to no other."""
    return f"edge_{way.place}"


def address(host: str, port: int) -> Json:
    """A place in the network; a name is none, but for this machine's own."""
    return {"socket_address": {"address": "127.0.0.1" if host == "localhost" else host, "port_value": port}}


def pipe(path: str, mode: int | None = None) -> Json:
    """A unix socket; ``mode`` is what it is made with."""
    return {"pipe": {"path": path, **({} if mode is None else {"mode": mode})}}
