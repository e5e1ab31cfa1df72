"""The plan as Envoy reads it. Pure.

Two listeners. The first, where callers come, decides by a call's header fields and body whether it takes the native
way. That way leads to a cluster whose first place is the second listener, a unix socket, and whose second place is
Latchpin's proxy. The second listener asks which Authorization goes up, keeps the answer in memory, puts it in and sends
the call to the MCP server. What is refused there carries ``x-edge-refused``: the first listener then sends the call,
which it has kept as it came, to the second place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from latchpin_edge.fields import ALWAYS, FALLS, HIDDEN, PASSING, STRICT_TRANSPORT
from latchpin_edge.plan import Plan
from latchpin_edge.ways import Way

__all__ = ["render_envoy", "render_envoy_files"]

Json = dict[str, Any]

CONNECT = "10s"
LARGEST_HELD = 1_048_576
"""What of a request or an answer waits in memory, in bytes; what is looked at has ten times less."""
_WAY, _GRANTED = "x-latchpin-way", "x-latchpin-granted"
_NOT_HERE = 421
"""One of ``FALLS``."""
_API = "type.googleapis.com/envoy"
_PREFIXES = ("access-control-", "cross-origin-", "proxy-", "sec-", "surrogate-", "x-accel-", "x-envoy-", "x-sendfile-")


def render_envoy(plan: Plan) -> str:
    """The whole configuration, in JSON, as Envoy reads it once."""
    return _text({"static_resources": {"listeners": _listeners(plan), "clusters": _all_clusters(plan)}})


def render_envoy_files(plan: Plan, output: Path) -> list[tuple[Path, str]]:
    """The same in files, in the order in which they are to be written; Envoy reads anew what is moved there.

    Args:
        plan: what is configured.
        output: what Envoy is started with; the others stand beside it.
    """
    clusters, listeners = (output.with_suffix(f".{name}.json") for name in ("clusters", "listeners"))
    sources = {
        f"{name}_config": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
        for name, path in (("cds", clusters), ("lds", listeners))
    }
    begin = {"node": {"id": "latchpin", "cluster": "latchpin"}, "dynamic_resources": sources}
    return [
        (clusters, _text(_resources("cluster.v3.Cluster", _all_clusters(plan)))),
        (listeners, _text(_resources("listener.v3.Listener", _listeners(plan)))),
        (output, _text(begin)),
    ]


def _resources(kind: str, resources: list[Json]) -> Json:
    return {"resources": [{"@type": f"{_API}.config.{kind}", **each} for each in resources]}


def _text(value: Json) -> str:
    return json.dumps(value, indent=1) + "\n"


def _listeners(plan: Plan) -> list[Json]:
    script = _script(plan)
    return [_front(plan, script), _behind(plan, script)] if plan.ways else [_front(plan, script)]


def _all_clusters(plan: Plan) -> list[Json]:
    return [_latchpin(plan), _edge(plan), *(each for way in plan.ways for each in _clusters(plan, way))]


# -- listeners --------------------------------------------------------------------------------------------------


def _front(plan: Plan, script: str) -> Json:
    """Where callers come: from trusted proxies with the header that names a user, from anybody else without."""
    chains = [_chain(plan, script, trusted=False)]
    if plan.user_header:
        chains.insert(0, {**_chain(plan, script, trusted=True), "filter_chain_match": _from(plan.proxies)})
    listener = {
        "name": "front",
        "address": _socket(plan.front.host, plan.front.port),
        "per_connection_buffer_limit_bytes": LARGEST_HELD,
        "filter_chains": chains,
    }
    if not plan.front.certificate:
        return listener
    pair = {
        "certificate_chain": {"filename": str(plan.front.certificate)},
        "private_key": {"filename": str(plan.front.key or plan.front.certificate)},
    }
    tls = {
        "name": "tls",
        "typed_config": {
            "@type": f"{_API}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [pair]},
        },
    }
    return {**listener, "filter_chains": [{**chain, "transport_socket": tls} for chain in chains]}


def _from(networks: tuple[str, ...]) -> Json:
    parts = (each.partition("/") for each in networks)
    ranges = [
        {"address_prefix": host, "prefix_len": int(length or (128 if ":" in host else 32))} for host, _, length in parts
    ]
    return {"source_prefix_ranges": ranges}


def _chain(plan: Plan, script: str, *, trusted: bool) -> Json:
    dropped = ["x-edge-secret", "x-edge-peer", "x-edge-url", "x-edge-refused"]
    if plan.user_header and not trusted:
        dropped.append(plan.user_header)
    to_latchpin = {"cluster": "latchpin", **_times(plan.limits.idle + plan.limits.wait)}
    routes: list[Json] = [
        {
            "match": {"path": _path(plan, way), "headers": [_has(_WAY, "native")]},
            "route": {"cluster": f"native_{way.gateway_id}", "retry_policy": _by_proxy(), **_times(plan.limits.idle)},
            "request_headers_to_add": [_peer()],
        }
        for way in plan.ways
    ]
    routes += [
        {"match": {"prefix": f"{plan.base_path}/edge/"}, "direct_response": {"status": 404}},
        {"match": {"prefix": "/"}, "route": to_latchpin},
    ]
    hosts = {
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes, "include_request_attempt_count": False}]
    }
    first = _mutation(*({"remove": name} for name in (*dropped, _WAY)))
    call = "function envoy_on_request(handle) decide(handle) end"
    return _manager("front", [first, _lua(script, call), _router()], hosts)


def _behind(plan: Plan, script: str) -> Json:
    routes: list[Json] = [
        {
            "match": {"prefix": "/", "headers": [_has(_GRANTED, way.gateway_id)]},
            "route": {"cluster": f"edge_{way.gateway_id}", **_times(plan.limits.idle)},
            "request_headers_to_remove": [_GRANTED, "x-forwarded-proto"],
        }
        for way in plan.ways
    ]
    refused = {"header": {"key": "x-edge-refused", "value": "1"}}
    routes.append({"match": {"prefix": "/"}, "direct_response": {"status": 403}, "response_headers_to_add": [refused]})
    hosts = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}
    calls = "\n".join(
        f"function envoy_on_{when}(handle) {name}(handle) end"
        for when, name in (("request", "send_up"), ("response", "come_down"))
    )
    filters = [_mutation({"remove": _GRANTED}), _lua(script, calls), _router()]
    # A server that could not be connected to did nothing: the proxy says why.
    unreached = {"filter": {"response_flag_filter": {"flags": ["UF"]}}, "status_code": _NOT_HERE}
    return {
        "name": "behind",
        "address": _pipe(f"{plan.folder}/behind.sock", mode=0o600),
        "per_connection_buffer_limit_bytes": LARGEST_HELD,
        "filter_chains": [_manager("behind", filters, hosts, {"local_reply_config": {"mappers": [unreached]}})],
    }


def _manager(name: str, filters: list[Json], routes: Json, more: Mapping[str, Json] | None = None) -> Json:
    config = {
        **(more or {}),
        "@type": f"{_API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        # Envoy may read the listeners first, whatever was written first: refused then, they would not be read again.
        "route_config": {"name": name, "validate_clusters": False, **routes},
        "http_filters": filters,
        "use_remote_address": False,
        "skip_xff_append": True,
        "generate_request_id": False,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": {"headers_with_underscores_action": "DROP_HEADER"},
        "stream_idle_timeout": "0s",
        "request_headers_timeout": "10s",
    }
    return {"filters": [{"name": "http", "typed_config": config}]}


def _lua(script: str, calls: str) -> Json:
    typed = {
        "@type": f"{_API}.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": f"{script}\n{calls}\n"},
    }
    return {"name": "lua", "typed_config": typed}


def _mutation(*request: Json) -> Json:
    typed = {
        "@type": f"{_API}.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": list(request)},
    }
    return {"name": "fields", "typed_config": typed}


def _router() -> Json:
    typed = {"@type": f"{_API}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return {"name": "router", "typed_config": typed}


def _has(name: str, value: str) -> Json:
    return {"name": name, "string_match": {"exact": value}}


def _peer() -> Json:
    value = {"key": "x-edge-peer", "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}
    return {"header": value, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _by_proxy() -> Json:
    """What the second listener refuses goes to the second place of the cluster, once."""
    return {
        "retry_on": "retriable-headers,connect-failure",
        "num_retries": 1,
        "retriable_headers": [{"name": "x-edge-refused", "present_match": True}],
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
        "retry_priority": {
            "name": "next",
            "typed_config": {
                "@type": f"{_API}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _times(idle: int) -> Json:
    return {"timeout": "0s", "idle_timeout": f"{idle}s"}


def _path(plan: Plan, way: Way) -> str:
    return f"{plan.base_path}/gateways/{way.gateway_id}/mcp"


# -- clusters ---------------------------------------------------------------------------------------------------


def _latchpin(plan: Plan) -> Json:
    return _cluster("latchpin", [[_at(plan.gateway)]])


def _edge(plan: Plan) -> Json:
    return _cluster("latchpin_edge", [[_at(each) for each in plan.asked]])


def _clusters(plan: Plan, way: Way) -> list[Json]:
    native = _cluster(f"native_{way.gateway_id}", [[_pipe(f"{plan.folder}/behind.sock")], [_at(plan.gateway)]])
    server = _cluster(f"edge_{way.gateway_id}", [[_socket(each, way.port) for each in way.addresses]])
    if way.secure:
        validation = {
            "trusted_ca": {"filename": plan.roots},
            "match_typed_subject_alt_names": [_names(way.host)],
        }
        tls = {
            "@type": f"{_API}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": way.host,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "validation_context": validation,
            },
        }
        server["transport_socket"] = {"name": "tls", "typed_config": tls}
    return [native, server]


def _names(host: str) -> Json:
    literal = ":" in host or host.replace(".", "").isdigit()
    return {"san_type": "IP_ADDRESS" if literal else "DNS", "matcher": {"exact": host}}


def _cluster(name: str, places: list[list[Json]]) -> Json:
    """Of its places, the first group is taken; the second one where it is asked for."""
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT,
        "per_connection_buffer_limit_bytes": LARGEST_HELD,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"priority": number, "lb_endpoints": [{"endpoint": {"address": each}} for each in group]}
                for number, group in enumerate(places)
            ],
        },
    }


def _at(place: str) -> Json:
    if place.startswith("/"):
        return _pipe(place)
    host, _, port = place.rpartition(":")
    return _socket(host.strip("[]"), int(port))


def _socket(host: str, port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1" if host == "localhost" else host, "port_value": port}}


def _pipe(path: str, mode: int | None = None) -> Json:
    return {"pipe": {"path": path, **({} if mode is None else {"mode": mode})}}


# -- the script -------------------------------------------------------------------------------------------------


def _script(plan: Plan) -> str:
    passing = (*PASSING, *plan.headers, "content-length")
    always = {**dict(ALWAYS), **(dict([STRICT_TRANSPORT]) if plan.secure else {})}
    places = {
        _path(plan, way): {"id": way.gateway_id, "url": way.url, "target": way.target, "host": way.authority}
        for way in plan.ways
    }
    values: Mapping[str, object] = {
        "PASSING": dict.fromkeys(passing, True),
        "HIDDEN": dict.fromkeys(HIDDEN, True),
        "PREFIXES": list(_PREFIXES),
        "ALWAYS": always,
        "FALLS": {str(status): True for status in FALLS},
        "PLACES": places,
        "SECRET": plan.secret,
        "HOST": plan.origin.partition("://")[2],
        "ORIGIN": plan.origin,
        "USER_HEADER": plan.user_header or "",
    }
    head = "\n".join(f"local {name} = {_literal(value)}" for name, value in values.items())
    return f"{head}\n{files(__package__).joinpath('envoy.lua').read_text(encoding='utf-8')}"


def _literal(value: object) -> str:
    """A value in Lua."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{_literal(name)}] = {_literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(_literal, value)) + "}"
    text = str(value)
    if not text.isprintable() or not text.isascii():
        raise ValueError("a text cannot be written into a script")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
