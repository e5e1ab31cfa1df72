"""redis-py's client for REDIS_URL: of one server, whichever the Sentinels call the primary, or one of a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from latchpin_redis_store.hosts import Place
from latchpin_redis_store.sentinel import Sentinels, parse_sentinels
from latchpin_redis_store.settings import RedisSettings

__all__ = ["open_client", "server_client"]

SENTINEL_SECONDS = 0.3
"""How long one Sentinel may take to answer; the next is asked then."""


@asynccontextmanager
async def open_client(settings: RedisSettings, **options: Any) -> AsyncIterator[Redis]:  # noqa: ANN401  redis-py's
    """Give a client that repeats nothing. Nobody is connected to yet.

    Args:
        settings: where.
        options: of each connection.
    """
    options |= _plain()
    sentinels = parse_sentinels(settings.redis_url)
    if sentinels is not None:
        async with _behind(sentinels, settings, options) as client:
            yield client
        return
    client = Redis.from_url(settings.redis_url, **options)
    try:
        yield client
    finally:
        await client.aclose()


def server_client(server_url: str, place: Place, **options: Any) -> Redis:  # noqa: ANN401  redis-py's
    """Make a client, which repeats nothing, of one server of a cluster.

    Args:
        server_url: REDIS_URL of such a server, whose host does not count.
        place: its host and port.
        options: of each connection.
    """
    server: dict[str, Any] = dict(parse_url(server_url))
    secure = server.pop("connection_class", None) is not None
    host, port = place
    return Redis(**{**server, **_plain(), **options, "host": host, "port": port, "ssl": secure})


def _plain() -> dict[str, Any]:
    # Under protocol 3, redis-py expects unasked messages and so misses that an idle connection broke.
    return {"retry": Retry(NoBackoff(), 0), "protocol": 2}


@asynccontextmanager
async def _behind(sentinels: Sentinels, settings: RedisSettings, options: dict[str, Any]) -> AsyncIterator[Redis]:
    """A client of the primary: each connection asks the Sentinels which server that is."""
    server: dict[str, Any] = dict(parse_url(sentinels.server_url))
    secure = server.pop("connection_class", None) is not None
    server.pop("host", None)
    certificates = {name: value for name, value in server.items() if name.startswith("ssl_")}
    password = settings.redis_sentinel_password
    manager = Sentinel(  # type: ignore[no-untyped-call]
        sentinels.hosts,
        sentinel_kwargs={
            "password": None if password is None else password.get_secret_value(),
            "ssl": secure,
            "socket_timeout": SENTINEL_SECONDS,
            "socket_connect_timeout": SENTINEL_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            **certificates,
        },
    )
    client: Redis = manager.master_for(sentinels.name, ssl=secure, **{**server, **options})
    try:
        yield client
    finally:
        await client.aclose()
        await manager.aclose()
