"""The way to Redis: commands of all callers gathered into pipelines, and short deadlines.

No command is repeated: a reply that was lost may mean that the command was carried out, and a repeated
consume would then accuse its own caller of a replay. Instead a connection that was idle is proven before it
is used, so the first request after Redis came back finds a good one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from hiredis import pack_command
from latchpin.batching import Batcher
from latchpin.errors import BackendUnavailable
from latchpin.patience import patience
from latchpin.settings import mask
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError, ResponseError

from latchpin_redis_store.settings import RedisSettings

__all__ = ["Commands", "Reply", "open_commands"]

BATCH_SECONDS = 0.7
"""For one batch in all, connecting included. redis-py drops a connection whose reading was cut short."""

IDLE_SECONDS = 1.0
"""After so long without a reply a connection is asked whether it is still there: one that a crashed host or a
firewall forgot looks open until it is used."""

PROOF_SECONDS = 0.3
ANSWER_SECONDS = 1.6
"""What a caller waits at most: one batch that fails before it, its own, and never two seconds."""

BATCH_LIMIT = 500

Word: TypeAlias = str | bytes | int
Reply: TypeAlias = Any
"""What Redis answered; each caller knows the type of its own command's reply."""

logger = logging.getLogger("latchpin.redis")


class Commands:
    """Sends single commands, in batches with whatever else is waiting.

    Args:
        client: an open client that does not retry.
        shown_url: REDIS_URL with its password masked, for error texts.
    """

    def __init__(self, client: Redis, shown_url: str) -> None:
        self._client = client
        self._shown_url = shown_url
        self._replied_at = 0.0
        self._batcher: Batcher[tuple[Word, ...], Reply] = Batcher(self._send, limit=BATCH_LIMIT)

    async def ask(self, *words: Word) -> Reply:
        """Send one command and return its reply.

        Raises:
            BackendUnavailable: there is no reply, or it is an error; the command may have been carried out.
        """
        try:
            async with patience(ANSWER_SECONDS):
                return await self._batcher.submit(words)
        except (RedisError, OSError) as exc:  # OSError: TimeoutError too
            raise self._unavailable(exc) from exc

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """Send several commands at once and return their replies in order; see ``ask``."""
        return await asyncio.gather(*(self.ask(*words) for words in commands))

    async def ping(self) -> None:
        """Reach the server.

        Raises:
            RedisError: it is not there, or does not let us in.
            OSError: the same.
        """
        (reply,) = await self._send([("PING",)])
        if isinstance(reply, RedisError):
            raise reply

    async def close(self) -> None:
        """Send what is waiting, then hang up."""
        await self._batcher.close()
        await self._client.aclose()

    async def _send(self, batch: Sequence[tuple[Word, ...]]) -> Sequence[Reply]:
        pool = self._client.connection_pool
        async with patience(BATCH_SECONDS):
            connection: AbstractConnection = await pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await self._prove(connection)
                await connection.send_packed_command(b"".join(map(pack_command, batch)))  # type: ignore[arg-type]
                replies = [await _read(connection) for _ in batch]
                self._replied_at = asyncio.get_running_loop().time()
            finally:
                await pool.release(connection)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # It is a replica now; the name may lead to the new primary.
            await pool.disconnect(inuse_connections=False)
        return replies

    async def _prove(self, connection: AbstractConnection) -> None:
        """Connect anew if an idle connection does not answer."""
        if asyncio.get_running_loop().time() - self._replied_at < IDLE_SECONDS:
            return
        try:
            async with patience(PROOF_SECONDS):
                await connection.send_packed_command(pack_command(("PING",)))
                await _read(connection)
        except (RedisError, OSError):
            await connection.disconnect(nowait=True)
            await connection.connect()  # type: ignore[no-untyped-call]

    def _unavailable(self, exc: Exception) -> BackendUnavailable:
        return BackendUnavailable(f"Redis at {self._shown_url}: {_reason(exc)}")


async def _read(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response()
    except ResponseError as exc:  # this command's own; the others have their replies
        return exc


@asynccontextmanager
async def open_commands(settings: RedisSettings) -> AsyncIterator[Commands]:
    """Connect, waiting for a Redis that is not there yet as REDIS_MAX_RETRIES says.

    Raises:
        BackendUnavailable: it cannot be reached, or does not let us in.
    """
    client = Redis.from_url(
        settings.redis_url,
        socket_timeout=None,  # a timer for each reply costs more than the reply; see BATCH_SECONDS
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # under 3, redis-py expects unasked messages and so misses that an idle connection broke
    )
    commands = Commands(client, mask(settings.redis_url))
    try:
        await _reach(commands, settings)
        await _warn_of_eviction(client)
        yield commands
    finally:
        await commands.close()


async def _reach(commands: Commands, settings: RedisSettings) -> None:
    tries = max(1, settings.redis_max_retries)
    for attempt in range(1, tries + 1):
        try:
            await commands.ping()
        except (AuthenticationError, NoPermissionError) as exc:
            raise _unreachable(settings, _reason(exc), "Check the user name and password in REDIS_URL.") from exc
        except (RedisError, OSError) as exc:
            if attempt == tries:
                reason = f"{_reason(exc)} ({tries} {'try' if tries == 1 else 'tries'})"
                raise _unreachable(settings, reason, "Start Redis, or correct REDIS_URL.") from exc
            logger.warning("Redis at %s: %s; trying again", mask(settings.redis_url), _reason(exc))
            await asyncio.sleep(settings.redis_retry_interval_ms / 1000)
        else:
            return


def _unreachable(settings: RedisSettings, reason: str, remedy: str) -> BackendUnavailable:
    return BackendUnavailable(f"REDIS_URL holds {mask(settings.redis_url)}: {reason}", remedy=remedy)


def _reason(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300] or f"no answer within {ANSWER_SECONDS:g} s"


async def _warn_of_eviction(client: Redis) -> None:
    """Say so if Redis may throw away what must last; whoever may not ask is not told."""
    try:
        memory = await client.info("memory")
    except (RedisError, OSError):
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        logger.warning(
            "Redis evicts keys when its memory is full (maxmemory-policy %s): authorizations under way, and with "
            "RECORD_STORE=redis gateways and tokens too, can disappear; set maxmemory-policy noeviction",
            policy,
        )
