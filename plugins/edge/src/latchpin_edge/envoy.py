"""The plan as Envoy reads it. Pure.

Two listeners. The first, where callers come, decides by a call's header fields and body whether it takes the native
way. That way leads to a cluster whose first place is the second listener, a unix socket, and whose second place is
Latchpin's proxy. The second listener asks which Authorization goes up, keeps the answer in memory, puts it in and sends
the call to the MCP server. What is refused there carries ``x-edge-refused``: the first listener then sends the call,
which it has kept as it came, to the second place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from latchpin_edge.envoy_clusters import clusters
from latchpin_edge.envoy_listeners import listeners
from latchpin_edge.envoy_parts import API, Json
from latchpin_edge.plan import Plan
from latchpin_edge.ways import Way

__all__ = ["render_envoy", "render_envoy_files"]


def render_envoy(plan: Plan) -> str:
    """The whole configuration, in JSON, as Envoy reads it once."""
    return _text({"static_resources": {"listeners": listeners(plan), "clusters": clusters(plan)}})


def render_envoy_files(plan: Plan, output: Path, left: Sequence[Way] = ()) -> list[tuple[Path, str]]:
    """The same in files, in the order in which they are to be written; Envoy reads anew what is moved there.

    Args:
        plan: what is configured.
        output: what Envoy is started with; the others stand beside it.
        left: ways that gateways had until lately.
    """
    to_clusters, to_listeners = (output.with_suffix(f".{name}.json") for name in ("clusters", "listeners"))
    sources = {
        f"{name}_config": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
        for name, path in (("cds", to_clusters), ("lds", to_listeners))
    }
    begin = {"node": {"id": "latchpin", "cluster": "latchpin"}, "dynamic_resources": sources}
    return [
        (to_clusters, _text(_resources("cluster.v3.Cluster", clusters(plan, left)))),
        (to_listeners, _text(_resources("listener.v3.Listener", listeners(plan)))),
        (output, _text(begin)),
    ]


def _resources(kind: str, resources: list[Json]) -> Json:
    return {"resources": [{"@type": f"{API}.config.{kind}", **each} for each in resources]}


def _text(value: Json) -> str:
    return json.dumps(value, indent=1) + "\n"
