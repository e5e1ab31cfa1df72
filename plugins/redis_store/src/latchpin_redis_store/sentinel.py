"""REDIS_URL with Sentinels: ``redis+sentinel://user:password@one:26379,two:26379/name/0``. Pure.

The Sentinels say which server of that name is the primary now. The user name and password are those of the servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, unquote

from latchpin_redis_store.hosts import split_hosts, split_url

__all__ = ["SCHEMES", "Sentinels", "parse_sentinels"]

SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
"""Each with the scheme of the servers behind; with ``rediss`` the Sentinels speak TLS, too."""
DEFAULT_PORT = 26_379


@dataclass(frozen=True, slots=True)
class Sentinels:
    """What such a URL says.

    Attributes:
        hosts: the Sentinels, each with its port.
        name: what they call the primary and its replicas.
        server_url: REDIS_URL of the primary, but for its host, which stands in as ``primary``.
    """

    hosts: tuple[tuple[str, int], ...]
    name: str
    server_url: str


def parse_sentinels(url: str) -> Sentinels | None:
    """Take a URL apart; None if its scheme is another.

    Raises:
        ValueError: it does not say which Sentinels, or which name; its text holds nothing of the URL.
    """
    parts = split_url(url)
    if parts.scheme not in SCHEMES:
        return None
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path.removeprefix("/").partition("/")
    if not name or (database and not database.isdigit()):
        raise ValueError("it names no group of servers")
    found = split_hosts(hosts, DEFAULT_PORT)
    server = SplitResult(SCHEMES[parts.scheme], f"{login}{at}primary", f"/{database or 0}", parts.query, "")
    return Sentinels(found, unquote(name), server.geturl())
