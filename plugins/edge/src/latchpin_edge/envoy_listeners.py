"""Envoy's listeners: the one that callers reach, and the one behind it that asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from latchpin_edge.envoy_parts import API, LARGEST_HELD, Json, address, native_cluster, pipe, server_cluster
from latchpin_edge.envoy_script import script
from latchpin_edge.plan import Plan

__all__ = ["listeners"]

_WAY, _GRANTED = "x-latchpin-way", "x-latchpin-granted"
_NOT_HERE = 421
"""One of ``FALLS``."""


def listeners(plan: Plan) -> list[Json]:
    """The front one; the one behind it only where there is a way that leads there."""
    lua = script(plan)
    return [_front(plan, lua), _behind(plan, lua)] if plan.ways else [_front(plan, lua)]


def _front(plan: Plan, lua: str) -> Json:
    """Where callers come: from trusted proxies with the header that names a user, from anybody else without."""
    chains = [_chain(plan, lua, trusted=False)]
    if plan.user_header:
        chains.insert(0, {**_chain(plan, lua, trusted=True), "filter_chain_match": _from(plan.proxies)})
    listener = {
        "name": "front",
        "address": address(plan.front.host, plan.front.port),
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
            "@type": f"{API}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
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


def _chain(plan: Plan, lua: str, *, trusted: bool) -> Json:
    dropped = ["x-edge-secret", "x-edge-peer", "x-edge-url", "x-edge-header", "x-edge-refused"]
    if plan.user_header and not trusted:
        dropped.append(plan.user_header)
    to_latchpin = {"cluster": "latchpin", **_times(plan.limits.idle + plan.limits.wait)}
    routes: list[Json] = [
        {
            "match": {"path": plan.path_of(way), "headers": [_has(_WAY, "native")]},
            "route": {"cluster": native_cluster(way), "retry_policy": _by_proxy(), **_times(plan.limits.idle)},
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
    return _manager("front", [first, _lua(lua, call), _router()], hosts)


def _behind(plan: Plan, lua: str) -> Json:
    routes: list[Json] = [
        {
            "match": {"prefix": "/", "headers": [_has(_GRANTED, way.gateway_id)]},
            "route": {"cluster": server_cluster(way), **_times(plan.limits.idle)},
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
    filters = [_mutation({"remove": _GRANTED}), _lua(lua, calls), _router()]
    # A server that could not be connected to did nothing: the proxy says why.
    unreached = {"filter": {"response_flag_filter": {"flags": ["UF"]}}, "status_code": _NOT_HERE}
    return {
        "name": "behind",
        "address": pipe(f"{plan.folder}/behind.sock", mode=0o600),
        "per_connection_buffer_limit_bytes": LARGEST_HELD,
        "filter_chains": [_manager("behind", filters, hosts, {"local_reply_config": {"mappers": [unreached]}})],
    }


def _manager(name: str, filters: list[Json], routes: Json, more: Mapping[str, Json] | None = None) -> Json:
    config = {
        **(more or {}),
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
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


def _lua(lua: str, calls: str) -> Json:
    typed = {
        "@type": f"{API}.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": f"{lua}\n{calls}\n"},
    }
    return {"name": "lua", "typed_config": typed}


def _mutation(*request: Json) -> Json:
    typed = {
        "@type": f"{API}.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": list(request)},
    }
    return {"name": "fields", "typed_config": typed}


def _router() -> Json:
    typed = {"@type": f"{API}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
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
                "@type": f"{API}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _times(idle: int) -> Json:
    return {"timeout": "0s", "idle_timeout": f"{idle}s"}
