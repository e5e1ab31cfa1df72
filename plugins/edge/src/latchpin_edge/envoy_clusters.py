"""Envoy's clusters: where its requests go. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin_edge.envoy_parts import API, LARGEST_HELD, Json, address, native_cluster, pipe, server_cluster
from latchpin_edge.plan import Plan
from latchpin_edge.ways import Way

__all__ = ["clusters"]

CONNECT = "10s"


def clusters(plan: Plan, left: Sequence[Way] = ()) -> list[Json]:
    """Of the gateway, of who answers the data plane, and two of each way.

    Args:
        plan: what is configured.
        left: ways that gateways had until lately. Connections from before go on by the listeners of then, which lead
            there: to what stands under a name, so nothing else ever stands under it.
    """
    found = [_latchpin(plan), _edge(plan), *(each for way in (*plan.ways, *left) for each in _of_way(plan, way))]
    named: dict[str, Json] = {}
    for each in found:  # a gateway has one native way, whatever it led to
        named.setdefault(each["name"], each)
    return list(named.values())


def _latchpin(plan: Plan) -> Json:
    return _cluster("latchpin", [[_at(plan.gateway)]])


def _edge(plan: Plan) -> Json:
    return _cluster("latchpin_edge", [[_at(each) for each in plan.asked]])


def _of_way(plan: Plan, way: Way) -> list[Json]:
    native = _cluster(native_cluster(way), [[pipe(f"{plan.folder}/behind.sock")], [_at(plan.gateway)]])
    server = _cluster(server_cluster(way), [[address(each, way.port) for each in way.addresses]])
    if way.secure:
        validation = {
            "trusted_ca": {"filename": plan.roots},
            "match_typed_subject_alt_names": [_names(way.host)],
        }
        tls = {
            "@type": f"{API}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
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
        return pipe(place)
    host, _, port = place.rpartition(":")
    return address(host.strip("[]"), int(port))
