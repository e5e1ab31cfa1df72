"""Reaching Redis at the start: one server, whichever the Sentinels name, or a cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from latchpin.errors import BackendUnavailable
from latchpin.sdk.settings import mask
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from latchpin_redis_store.client import open_client
from latchpin_redis_store.cluster import parse_cluster
from latchpin_redis_store.cluster_commands import ClusterCommands
from latchpin_redis_store.connection import Commands, Server, reason_of
from latchpin_redis_store.eviction import warn_of_eviction
from latchpin_redis_store.settings import RedisSettings

__all__ = ["open_commands"]

logger = logging.getLogger("latchpin.redis")


@asynccontextmanager
async def open_commands(settings: RedisSettings) -> AsyncIterator[Commands]:
    """Connect, waiting for a Redis that is not there yet as REDIS_MAX_RETRIES says.

    Raises:
        BackendUnavailable: it cannot be reached, or does not let us in.
    """
    async with _unconnected(settings) as commands:
        try:
            await _reach(commands, settings)
            await warn_of_eviction(commands)
            yield commands
        finally:
            await commands.close()


@asynccontextmanager
async def _unconnected(settings: RedisSettings) -> AsyncIterator[Commands]:
    shown = mask(settings.redis_url)
    if (cluster := parse_cluster(settings.redis_url)) is not None:
        yield ClusterCommands(cluster, shown, replicas=settings.redis_wait_replicas)
        return
    # A timer for each reply costs more than the reply; see BATCH_SECONDS.
    async with open_client(settings, socket_timeout=None) as client:
        yield Server(client, shown, replicas=settings.redis_wait_replicas)


async def _reach(commands: Commands, settings: RedisSettings) -> None:
    tries = max(1, settings.redis_max_retries)
    for attempt in range(1, tries + 1):
        try:
            await commands.ping()
        except (AuthenticationError, NoPermissionError) as exc:
            raise _unreachable(settings, reason_of(exc), "Check the user name and password in REDIS_URL.") from exc
        except (RedisError, OSError) as exc:
            if attempt == tries:
                reason = f"{reason_of(exc)} ({tries} {'try' if tries == 1 else 'tries'})"
                raise _unreachable(settings, reason, commands.remedy_for(exc)) from exc
            logger.warning("Redis at %s: %s; trying again", mask(settings.redis_url), reason_of(exc))
            await asyncio.sleep(settings.redis_retry_interval_ms / 1000)
        else:
            return


def _unreachable(settings: RedisSettings, reason: str, remedy: str) -> BackendUnavailable:
    return BackendUnavailable(f"REDIS_URL holds {mask(settings.redis_url)}: {reason}", remedy=remedy)
