"""REDIS_URL with a cluster: ``redis+cluster://user:password@one:6379,two:6379``. Pure.

The servers named are asked which others there are: one that answers is enough. A cluster has no numbered databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult

from latchpin_redis_store.hosts import Place, split_hosts, split_url

__all__ = ["CLUSTER_SCHEMES", "Cluster", "parse_cluster"]

CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
"""Each with the scheme of its servers."""
DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True)
class Cluster:
    """What such a URL says.

    Attributes:
        seeds: the servers that are asked for all others.
        server_url: REDIS_URL of one of them, but for its host, which stands in as ``server``.
    """

    seeds: tuple[Place, ...]
    server_url: str


def parse_cluster(url: str) -> Cluster | None:
    """Take a URL apart; None if its scheme is another.

    Raises:
        ValueError: it does not say which servers, or names a database; its text holds nothing of the URL.
    """
    parts = split_url(url)
    if parts.scheme not in CLUSTER_SCHEMES:
        return None
    if parts.path not in {"", "/", "/0"}:
        raise ValueError("a cluster has no numbered databases")
    login, at, hosts = parts.netloc.rpartition("@")
    seeds = split_hosts(hosts, DEFAULT_PORT)
    server = SplitResult(CLUSTER_SCHEMES[parts.scheme], f"{login}{at}server", "/0", parts.query, "")
    return Cluster(seeds, server.geturl())
